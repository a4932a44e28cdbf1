"""The types of columns that hold what no database has a type of its own for, on SQLite and PostgreSQL alike."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import lz4.frame
import orjson
from msgspec.json import Decoder
from msgspec.structs import asdict
from sqlalchemy import BigInteger, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Stored(TypeDecorator[Any]):
    """A type that puts values into a column and takes them out. Neither is called for None, which is NULL.

    The store calls the two itself (`bridge.store.statements`): SQLAlchemy's own way to them costs more than they do.
    """

    impl: type[TypeEngine[Any]] = Text
    cache_ok = True

    put: Callable[[Any], Any]
    take: Callable[[Any], Any]

    def on(self, dialect: Dialect) -> "Stored":  # noqa: ARG002 - most are the same everywhere
        """The type as it is on this engine."""
        return self

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """A value on its way into the database."""
        return None if value is None else self.on(dialect).put(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - the same
        """A value on its way out."""
        return None if value is None else self.take(value)


class Moment(Stored):
    """A point in time, to the millisecond: epoch milliseconds."""

    impl = BigInteger
    cache_ok = True

    @staticmethod
    def put(value: datetime) -> int:
        """To epoch milliseconds."""
        return (value - _EPOCH) // _MILLISECOND

    @staticmethod
    def take(value: int) -> datetime:
        """From epoch milliseconds."""
        return _EPOCH + value * _MILLISECOND


class Document(Stored):
    """A JSON value, as its text; of a struct its fields."""

    impl = Text
    cache_ok = True

    @staticmethod
    def put(value: Any) -> str:
        """To JSON. By orjson, as everywhere: msgspec takes no text that is marked as safe, as Jinja's `tojson` makes it."""
        return orjson.dumps(value, asdict).decode()

    @staticmethod
    def take(value: str) -> Any:
        """From JSON."""
        return orjson.loads(value)


class Shaped(Stored):
    """A value `of` a type, as a JSON text. Names that the type has not are passed over: a newer bridge may have written them."""

    impl = Text
    cache_ok = True
    put = staticmethod(Document.put)

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self.take = Decoder(of).decode


class Named(Stored):
    """A member of an enumeration of texts, as its text."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type[StrEnum]) -> None:
        super().__init__()
        self.of = of
        self.take = {member.value: member for member in of}.__getitem__

    @staticmethod
    def put(value: str) -> str:
        """As it is."""
        return value


class Body(Stored):
    """The body of a delivery, as an LZ4 frame: SQLite does not compress, and PostgreSQL takes ten times as long."""

    impl = LargeBinary
    cache_ok = True

    @staticmethod
    def put(value: bytes) -> bytes:
        """To a frame, if that is shorter."""
        frame: bytes = lz4.frame.compress(value)
        return frame if len(frame) < len(value) else value

    @staticmethod
    def take(value: bytes) -> bytes:
        """From a frame; no tracker's body begins as one does."""
        return lz4.frame.decompress(value) if value.startswith(_LZ4_FRAME) else value


class Packed(Stored):
    """A JSON value that may be large: its text, on SQLite compressed as a body is."""

    impl = Text
    cache_ok = True

    def on(self, dialect: Dialect) -> Stored:
        """PostgreSQL compresses what is large by itself."""
        return self if dialect.name == "sqlite" else Document()

    @staticmethod
    def put(value: Any) -> bytes:
        """To JSON, compressed if that is shorter."""
        return Body.put(orjson.dumps(value, asdict))

    @staticmethod
    def take(value: bytes | str) -> Any:
        """From JSON: earlier versions wrote a text."""
        return orjson.loads(value if isinstance(value, str) else Body.take(value))


_LZ4_FRAME = 0x184D2204.to_bytes(4, "little")
"""How a frame begins (LZ4 frame format, 1.6.4)."""
