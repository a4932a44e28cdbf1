"""`/odata/Folders`: where tasks live. It needs no folder itself, and is only read.

Source: the definition's `Folders` and `FoldersNavigation`. The scope is `OR.Folders` or `OR.Folders.Read`, which the bridge's own
`OR.Tasks` does not hold.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Unpack, cast
from uuid import UUID

from bridge.orchestrator.answers import entity, items_of, json_object
from bridge.orchestrator.odata import PAGE, Listing, ListOptions, Page, ViewOptions, query, view
from bridge.orchestrator.shapes import FolderDto, PathAwareFolderDto
from bridge.orchestrator.wire import ACTION, Wire

FolderType = Literal["Standard", "Personal", "Virtual", "Solution", "DebugSolution"]


class Folders:
    """`orchestrator.folders`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, **options: Unpack[ListOptions]) -> Listing[FolderDto]:
        """`GET /odata/Folders`: every folder that the account may see."""
        return Listing(lambda path: self._wire.send("GET", path), "odata/Folders", options)

    async def get(self, folder_id: int, **options: Unpack[ViewOptions]) -> FolderDto:
        """`GET /odata/Folders({id})`. `NotFound` if there is none."""
        return cast("FolderDto", entity(await self._wire.send("GET", f"odata/Folders({folder_id:d}){view(options)}")))

    async def get_by_key(self, key: UUID | str, **options: Unpack[ViewOptions]) -> FolderDto:
        """`GET GetByKey(identifier={uuid})`: as `get`. A folder's number can change, its key does not."""
        path = f"odata/Folders/{ACTION}.GetByKey(identifier={UUID(str(key))}){view(options)}"
        return cast("FolderDto", entity(await self._wire.send("GET", path)))

    def for_current_user(
        self, search_text: str | None = None, *, folder_types: Sequence[FolderType] = ()
    ) -> "FoldersOfUser":
        """`GET /api/FoldersNavigation/GetFoldersForCurrentUser`: the account's folders with their paths, those named like the text.

        The definition says that OAuth is not supported here; UiPath's own SDK calls it so all the same.
        """
        return FoldersOfUser(self._wire, search_text, folder_types)


class FoldersOfUser:
    """As `Listing`, over an operation that is not OData's: `async for` reads all folders, `page()` one page of them."""

    def __init__(self, wire: Wire, search_text: str | None, folder_types: Sequence[FolderType]) -> None:
        self._wire = wire
        self._own = {"searchText": search_text, "folderTypes": folder_types}

    async def page(self, *, skip: int = 0, take: int = PAGE) -> Page[PathAwareFolderDto]:
        """`take` folders after `skip`, and the count of all."""
        path = "api/FoldersNavigation/GetFoldersForCurrentUser"
        response = await self._wire.send("GET", path + query({}, {**self._own, "skip": skip, "take": take}))
        body = json_object(response)
        items = cast("list[PathAwareFolderDto]", items_of(body, "PageItems", response))
        count = body.get("Count")
        return Page(items, count if isinstance(count, int) else None)

    async def __aiter__(self) -> AsyncIterator[PathAwareFolderDto]:
        """Every folder. It ends when a page brings nothing new."""
        seen: set[int | None] = set()
        skip = 0
        while True:
            page = await self.page(skip=skip)
            fresh = [item for item in page.items if item.get("Id") not in seen]
            for item in fresh:
                yield item
            if not fresh:
                return
            seen.update(item.get("Id") for item in fresh)
            skip += len(page.items)
