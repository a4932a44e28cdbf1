"""Where the bridge keeps its state, by URL."""

import re
from pathlib import Path

from pydantic import Field, ValidationInfo, field_serializer, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bridge.config.types import Section

_FORM = "write `sqlite:///bridge.db` or `postgresql://user:password@host/name`"


class Database(Section):
    """Where the bridge keeps its deliveries and links."""

    url: str = Field(
        default="sqlite:///bridge.db",
        validate_default=True,
        repr=False,
        description="`sqlite:///file` for one process, its path relative to the YAML file; "
        "or `postgresql://user:password@host/name`.",
    )

    @field_validator("url")
    @classmethod
    def _known_engine(cls, value: str, info: ValidationInfo) -> str:
        """The context's `folder`, if there is one, is what an SQLite path is relative to."""
        if value.startswith("sqlite:"):
            return _sqlite(value, (info.context or {}).get("folder"))
        if not value.startswith(("postgresql://", "postgres://")):
            raise ValueError(f"is not a database that the bridge knows: {_FORM}")
        value = re.sub("^postgres:", "postgresql:", value)
        try:
            make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(f"is not a database URL: {_FORM}, with `@`, `:` and `/` in the password as %40…") from None
        return value

    @field_serializer("url", when_used="json")
    def _without_password(self, _value: str) -> str:
        return self.display

    @property
    def display(self) -> str:
        """The URL for people and logs: the password masked, the query (which can hold one) left out."""
        return make_url(self.url).set(query={}).render_as_string(hide_password=True)


def _sqlite(url: str, folder: Path | None) -> str:
    if not url.startswith("sqlite:///"):
        raise ValueError(f"has too few slashes for an SQLite file: {_FORM}")
    path, mark, query = url.removeprefix("sqlite:///").partition("?")
    if path in {"", ":memory:"}:
        raise ValueError(f"names no file, and a database in memory would forget its deliveries: {_FORM}")
    return f"sqlite:///{folder / path if folder else path}{mark}{query}"
