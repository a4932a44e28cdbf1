"""SQLAlchemy's statements as a driver takes them: compiled once, after that only their values change.

The statements, their types and the two dialects are SQLAlchemy's; its way of executing them costs more than most of ours take, so
the drivers run them themselves.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Dialect,
    Executable,
    Insert,
    Table,
    TableValuedAlias,
    TextClause,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator, TypeEngine

from bridge.errors import Unstorable
from bridge.store.types import Stored

_KEPT = 256
"""How many compiled statements are remembered: all of the code's own, and the last of those that are made for one time."""

_AT_ONCE = 64
"""Rows of one INSERT: more make it no cheaper, and engines bound how many values a statement takes."""

_NO_VALUE = (TypeError, ValueError, OverflowError, RecursionError)
"""What a value raises that cannot be put in."""

_Processor = Callable[[Any], Any]
"""Writes or reads a value of a type. NULL is None without it, which most of a link's columns are."""


class Rows(IteratorResult[*tuple[Any, ...]]):
    """What a statement answered; `rowcount` is how many rows it changed."""

    def __init__(self, names: SimpleResultMetaData, rows: Iterable[Any], rowcount: int) -> None:
        super().__init__(names, iter(rows))
        self.rowcount = rowcount


@dataclass(frozen=True, slots=True)
class Sql:
    """The text for so many values, and how they are put in."""

    text: str
    names: Sequence[tuple[str, _Processor | None]]
    expanded: Mapping[str, Sequence[str]]
    defaults: Mapping[str, Any]

    def values(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values in the order of their places. Raises `Unstorable`."""
        given = {**self.defaults, **parameters}
        for name, places in self.expanded.items():
            given.update(zip(places, _flat(given[name], len(places)), strict=True))
        try:
            return tuple(
                [
                    process(value) if (value := given[name]) is not None and process is not None else value
                    for name, process in self.names
                ]
            )
        except _NO_VALUE as error:
            raise _unstorable(error) from error

    def columns(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Any]]:
        """The values of many rows, column by column. Raises `Unstorable`."""
        try:
            for name, process in self.names:
                values = [row[name] for row in rows] if name in rows[0] else [self.defaults[name]] * len(rows)
                yield values if process is None else [None if value is None else process(value) for value in values]
        except _NO_VALUE as error:
            raise _unstorable(error) from error


class Statement:
    """A compiled statement. One that takes lists has a text for each length, which are the powers of two."""

    def __init__(self, statement: Executable, names: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
        self._compiled: SQLCompiler = compiled
        self._dialect = dialect
        self._lists = [name for name, bind in self._compiled.binds.items() if bind.expanding]
        self._is_new_each_time = any(bind.literal_execute and bind.required for bind in self._compiled.binds.values())
        self._constants = {
            name: bind.effective_value for name, bind in self._compiled.binds.items() if not bind.required
        }
        self._texts: dict[tuple[int, ...], Sql] = {}
        columns = list(getattr(statement, "exported_columns", ()))
        self.returns = bool(columns) or isinstance(statement, TextClause)
        self._names = SimpleResultMetaData([column.key for column in columns]) if columns else None
        self._reading = [
            (place, process)
            for place, column in enumerate(columns)
            if (process := _taking(column.type, dialect)) is not None
        ]

    def sql(self, parameters: Mapping[str, Any]) -> Sql:
        """The text for parameters of this kind."""
        sizes = tuple(
            [_padded(len((parameters if name in parameters else self._constants)[name])) for name in self._lists]
        )
        found = self._texts.get(sizes)
        if found is None:
            found = self._expand(dict(zip(self._lists, sizes, strict=True)), parameters)
            if not self._is_new_each_time:  # with a value in its text it is never asked for again
                self._texts[sizes] = found
        return found

    def rows(self, names: Sequence[str], rows: Sequence[Sequence[Any]], rowcount: int) -> Rows:
        """What the driver answered, in the types of the columns; `names` are the driver's, for a text that tells none."""
        read = map(self._read, rows) if self._reading else map(tuple, rows)
        return Rows(self._names or SimpleResultMetaData(names), read, rowcount)

    def _read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for place, process in self._reading:
            if (value := values[place]) is not None:
                values[place] = process(value)
        return tuple(values)

    def _expand(self, sizes: Mapping[str, int], parameters: Mapping[str, Any]) -> Sql:
        given = {**self._constants, **parameters}
        given |= {name: _padding(given[name], size) for name, size in sizes.items()}
        state = self._compiled.construct_expanded_state(given, escape_names=False)
        names = [(name, self._putting(name) or state.processors.get(name)) for name in state.positiontup or ()]
        return Sql(state.statement, names, state.parameter_expansion, self._constants)

    def _putting(self, name: str) -> _Processor | None:
        bind: BindParameter[Any] | None = self._compiled.binds.get(name)
        return None if bind is None else _putting(bind.type, self._dialect)


class Updates:
    """Writes columns of rows that are known by their id: of every row a value for each of them, and the id as `of`."""

    def __init__(self, table: Table, names: Iterable[str]) -> None:
        self.table = table
        self.names = tuple(names)
        values: dict[str, Any] = {name: bindparam(name) for name in self.names}
        self.one = update(table).where(table.c.id == bindparam("of")).values(values)


class Statements:
    """The compiled statements of a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled = lru_cache(_KEPT)(lambda statement, names: Statement(statement, names, dialect))
        self._inserts = lru_cache(_KEPT)(self._insert)
        self._updates = lru_cache(_KEPT)(self._update)

    def of(self, statement: Executable, parameters: Mapping[str, Any]) -> Statement:
        """The statement for parameters of these names."""
        return self._compiled(statement, tuple(parameters))

    def inserts(self, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Texts that insert many rows each, with all their values: a statement costs more than a row does."""
        one = self.of(statement, rows[0]).sql(rows[0])
        names = tuple([name for name, _ in one.names])
        columns = one.columns(rows)
        if self.dialect.name == "postgresql":
            yield self._inserts(statement, names, None), list(columns)
            return
        values = list(zip(*columns, strict=True))
        done = 0
        while done < len(rows):
            size = min(1 << (len(rows) - done).bit_length() - 1, _AT_ONCE)
            chunk = values[done : done + size]
            yield self._inserts(statement, names, size), list(chain.from_iterable(chunk))
            done += size

    def _insert(self, statement: Insert, names: Sequence[str], rows: int | None) -> str:
        """Its text for so many rows; without a number for any, of which each column is one array."""
        if rows is not None:
            return str(statement.values([dict.fromkeys(names)] * rows).compile(dialect=self.dialect))
        given = _unnested({name: statement.table.c[name] for name in names})
        return str(statement.from_select(list(names), select(*given.c)).compile(dialect=self.dialect))

    def update(self, updates: Updates, rows: Sequence[Mapping[str, Any]]) -> tuple[str, Sequence[Any]]:
        """PostgreSQL's text that updates any number of rows, with an array of values for each column."""
        one = self.of(updates.one, rows[0]).sql(rows[0])
        return self._updates(updates, tuple([name for name, _ in one.names])), list(one.columns(rows))

    def _update(self, updates: Updates, names: Sequence[str]) -> str:
        of_table = updates.table.c
        given = _unnested({name: of_table.id if name == "of" else of_table[name] for name in names})
        every = update(updates.table).where(updates.table.c.id == given.c.of)
        return str(every.values({name: given.c[name] for name in updates.names}).compile(dialect=self.dialect))


def _unnested(columns: Mapping[str, ColumnElement[Any]]) -> TableValuedAlias:
    """Rows whose columns are given as one array each."""
    arrays = [bindparam(name, type_=ARRAY(_plain(column.type))) for name, column in columns.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived()


def _unstorable(error: Exception) -> Unstorable:
    return Unstorable(f"the database cannot hold it: {error}")


def _plain(of: TypeEngine[Any]) -> TypeEngine[Any]:
    """The database's own type of a column."""
    return of.impl_instance if isinstance(of, TypeDecorator) else of


def _putting(of: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    return of.on(dialect).put if isinstance(of, Stored) else of.dialect_impl(dialect).bind_processor(dialect)


def _taking(of: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    return of.on(dialect).take if isinstance(of, Stored) else of.dialect_impl(dialect).result_processor(dialect, None)


def _padded(size: int) -> int:
    """The next power of two: a database keeps the plans of few texts more easily than those of many."""
    return 1 << (size - 1).bit_length() if size else 0


def _padding(values: Any, size: int) -> list[Any]:
    """As many values as that: the last one once more and again, which changes no meaning of IN."""
    given = list(values)
    return given + given[-1:] * (size - len(given))


def _flat(values: Any, places: int) -> Iterable[Any]:
    """A value for each place: of tuples, their parts."""
    given = list(values)
    width = len(given[0]) if given and isinstance(given[0], tuple) else 1
    padded = _padding(given, places // width)
    return padded if width == 1 else chain.from_iterable(padded)
