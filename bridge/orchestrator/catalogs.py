"""`/odata/TaskCatalogs`: the catalogs that tasks are filed under. CreateTask makes none: one must exist before a task names it.

Source: the definition's `TaskCatalogs`. Every operation works in one folder; the account needs `TaskCatalogs.View`, `.Create`,
`.Edit` or `.Delete` there.
"""

from collections.abc import Sequence
from typing import Any, Unpack, cast

from bridge.orchestrator.answers import done, entity, json_object
from bridge.orchestrator.odata import Listing, ListOptions, ViewOptions, view
from bridge.orchestrator.shapes import (
    AccessibleFoldersDto,
    TaskCatalogDto,
    TaskCatalogExtendedDetailsDto,
    TaskCatalogFoldersShareDto,
    TaskCatalogRequest,
)
from bridge.orchestrator.wire import ACTION, Where, Wire

_BASE = "odata/TaskCatalogs"


class TaskCatalogs:
    """`orchestrator.catalogs`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, folder: Where | None = None, **options: Unpack[ListOptions]) -> Listing[TaskCatalogDto]:
        """`GET /odata/TaskCatalogs`: those of a folder."""
        return Listing(lambda path: self._wire.within("GET", path, folder=folder), _BASE, options)

    def across_folders(
        self,
        *,
        mandatory_permissions: Sequence[str] = (),
        exclude_folder_id: int | None = None,
        distinct_by_select: bool | None = None,
        folder: Where | None = None,
        **options: Unpack[ListOptions],
    ) -> Listing[TaskCatalogDto]:
        """`GET GetTaskCatalogsFromFoldersWithPermissions`: those of every folder in which the account has these permissions too.

        With `distinct_by_select`, `select` must name exactly one property.
        """
        path = f"{_BASE}/{ACTION}.GetTaskCatalogsFromFoldersWithPermissions"
        return Listing(
            lambda path: self._wire.within("GET", path, folder=folder),
            path,
            options,
            mandatoryPermissions=mandatory_permissions,
            excludeFolderId=exclude_folder_id,
            distinctBySelect=distinct_by_select,
        )

    async def get(
        self, catalog_id: int, *, folder: Where | None = None, **options: Unpack[ViewOptions]
    ) -> TaskCatalogDto:
        """`GET /odata/TaskCatalogs({id})`. `NotFound` if it is not in the folder."""
        response = await self._wire.within("GET", f"{_BASE}({catalog_id:d}){view(options)}", folder=folder)
        return cast("TaskCatalogDto", entity(response))

    async def create(self, request: TaskCatalogRequest, *, folder: Where | None = None) -> TaskCatalogDto:
        """`POST CreateTaskCatalog`, 201: a name of 1 to 50 characters, a description to 512.

        A name that is used is `Rejected` (1001). Only here it can be made `Encrypted`.
        """
        response = await self._wire.within(
            "POST", f"{_BASE}/{ACTION}.CreateTaskCatalog", cast("Any", request), folder=folder
        )
        return cast("TaskCatalogDto", entity(response, numbered=True))

    async def update(self, catalog_id: int, request: TaskCatalogRequest, *, folder: Where | None = None) -> None:
        """`POST ({id})/UpdateTaskCatalog`, 200: this instead of what the catalog was. `NotFound` without it."""
        path = f"{_BASE}({catalog_id:d})/{ACTION}.UpdateTaskCatalog"
        done(await self._wire.within("POST", path, cast("Any", request), folder=folder))

    async def delete(self, catalog_id: int, *, folder: Where | None = None) -> None:
        """`DELETE /odata/TaskCatalogs({id})`, 204. One that has tasks is `Rejected` with status 409."""
        done(await self._wire.within("DELETE", f"{_BASE}({catalog_id:d})", folder=folder))

    async def share(self, request: TaskCatalogFoldersShareDto, *, folder: Where | None = None) -> None:
        """`POST ShareToFolders`, 204: adds catalogs to folders and takes them away. `NotFound` without one of them."""
        done(await self._wire.within("POST", f"{_BASE}/{ACTION}.ShareToFolders", cast("Any", request), folder=folder))

    async def folders(
        self, catalog_id: int, *, folder: Where | None = None, **options: Unpack[ViewOptions]
    ) -> AccessibleFoldersDto:
        """`GET GetFoldersForTaskCatalog(id={id})`: the folders that share it as far as the account sees them, and the count of all."""
        path = f"{_BASE}/{ACTION}.GetFoldersForTaskCatalog(id={catalog_id:d}){view(options)}"
        return cast("AccessibleFoldersDto", json_object(await self._wire.within("GET", path, folder=folder)))

    async def details(
        self, catalog_id: int, *, folder: Where | None = None, **options: Unpack[ViewOptions]
    ) -> TaskCatalogExtendedDetailsDto:
        """`GET GetTaskCatalogExtendedDetails(taskCatalogId={id})`: how many tasks and folders it has; asked before a `delete`."""
        path = f"{_BASE}/{ACTION}.GetTaskCatalogExtendedDetails(taskCatalogId={catalog_id:d}){view(options)}"
        return cast("TaskCatalogExtendedDetailsDto", json_object(await self._wire.within("GET", path, folder=folder)))
