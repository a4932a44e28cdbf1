"""OData's side of the API: the options of a query, texts in its filters, and lists that are read page by page.

Source: the definition. `$expand` to a depth of 2, `$filter` of 100 expressions, `$orderby` of 5, `$top` of 1000 at most; more of them
is `Rejected`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar, cast
from urllib.parse import quote

import httpx

from bridge.orchestrator.answers import items_of, json_object

PAGE = 1000
"""The most that `$top` takes."""

T = TypeVar("T")


class ViewOptions(TypedDict, total=False):
    """What of one thing is shown. Names as the definition spells them, in one text with commas or in a list."""

    select: str | Sequence[str]
    expand: str | Sequence[str]


class ResultOptions(ViewOptions, total=False):
    """What of a list is shown, and in which order: `filter="Status ne 'Completed'"`, `orderby="CreationTime desc"`."""

    filter: str
    orderby: str | Sequence[str]


class ListOptions(ResultOptions, total=False):
    """A list that comes in pages. `top`: at most so many in all; without it, everything. `skip`: so many are left out first."""

    top: int
    skip: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of an OData list: its items as they came, and the count of all if it was asked for."""

    items: list[T]
    count: int | None


class Listing(Generic[T]):
    """A list that is asked for when it is read: `async for` reads all of it, page by page; `page()` one page."""

    def __init__(
        self, get: Callable[[str], Awaitable[httpx.Response]], path: str, options: Mapping[str, Any], **own: Any
    ) -> None:
        _refuse_unknown(options, ListOptions)
        self._get = get
        self._path = path
        self._options = dict(options)
        self._own = own

    async def page(self, *, count: bool = False) -> Page[T]:
        """The first page: `top` items, at most 1000, after `skip`. `count` asks for the number of all that the filter lets through."""
        return await self._page(self._options.get("skip", 0), min(self._options.get("top", PAGE), PAGE), count=count)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Every item.

        A server may give shorter pages than it was asked for, or the same one again: it ends when a page brings nothing new. Things
        that are made or deleted meanwhile may be missed or come late; an `orderby="Id"` makes that rarer.
        """
        seen = _Seen()
        skip, left = self._options.get("skip", 0), self._options.get("top")
        while left is None or left > 0:
            page = await self._page(skip, PAGE if left is None else min(left, PAGE), count=False)
            fresh = seen.news(cast("Sequence[Mapping[str, Any]]", page.items))
            if not fresh:
                return
            for item in fresh[:left]:
                yield cast("T", item)
            skip += len(page.items)
            left = None if left is None else left - len(fresh)

    async def _page(self, skip: int, top: int, *, count: bool) -> Page[T]:
        options = {**self._options, "top": top, "skip": skip or None, "count": count or None}
        response = await self._get(self._path + query(options, self._own))
        body = json_object(response)
        items = cast("list[T]", items_of(body, "value", response))
        total = body.get("@odata.count")
        return Page(items, total if isinstance(total, int) else None)


class _Seen:
    """Which items came already: by their id, or, where `select` left that out, by whole pages."""

    def __init__(self) -> None:
        self._ids: set[Any] = set()
        self._page: Sequence[Mapping[str, Any]] = ()

    def news(self, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        before, self._page = self._page, items
        ids = [item.get("Id", item.get("id")) for item in items]
        if None in ids:
            return [] if items == before else list(items)
        fresh = [item for number, item in zip(ids, items, strict=True) if number not in self._ids]
        self._ids.update(ids)
        return fresh


def view(options: ViewOptions) -> str:
    """The query of an operation that answers one thing."""
    _refuse_unknown(options, ViewOptions)
    return query(options)


def results(options: ResultOptions) -> str:
    """The query of an operation whose list has no pages."""
    _refuse_unknown(options, ResultOptions)
    return query(options)


def query(options: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """`?…`, percent-encoded; nothing if there is nothing to say. `own` are the operation's, which have no `$`."""
    said = [(f"${name}", value) for name, value in options.items()] + list((own or {}).items())
    pairs = [f"{name}={quote(text, safe='')}" for name, value in said for text in _texts(name, value)]
    return "?" + "&".join(pairs) if pairs else ""


def literal(text: str) -> str:
    """A text as a filter has it: `f"ExternalTag eq {literal(tag)}"`. A quote in it is doubled."""
    return "'" + text.replace("'", "''") + "'"


def _texts(name: str, value: Any) -> list[str]:
    """A list of OData's is one text with commas; a list of an operation's own is said once for each."""
    match value:
        case None:
            return []
        case bool():
            return ["true" if value else "false"]
        case str() | int():
            return [str(value)]
        case _:
            return [",".join(value)] if name.startswith("$") else [str(each) for each in value]


def _refuse_unknown(options: Mapping[str, Any], known: type[Any]) -> None:
    """A misspelt option would be left out without a word."""
    if unknown := sorted(options.keys() - known.__annotations__.keys()):
        raise TypeError(f"no such option: {', '.join(unknown)}; there are {', '.join(sorted(known.__annotations__))}")
