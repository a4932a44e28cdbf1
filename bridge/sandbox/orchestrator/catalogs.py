"""The task catalogs: made in a folder, shared to others, and kept as long as a task is in them."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from random import Random
from uuid import UUID, uuid5

from bridge.sandbox.orchestrator import failures
from bridge.sandbox.orchestrator.model import Catalog, Folder, NewCatalog


class Catalogs:
    """Every catalog of the tenant. A name is used once in a folder."""

    def __init__(self, folders: Sequence[Folder], clock: Callable[[], datetime], rng: Random) -> None:
        self._folders = folders
        self._clock = clock
        self._rng = rng
        self._by_id: dict[int, Catalog] = {}
        self._by_name: dict[tuple[Folder, str], Catalog] = {}
        self._ids = itertools.count(1)
        self._make_those_of_the_start()

    def __iter__(self) -> Iterator[Catalog]:
        """All of them, oldest first."""
        return iter(tuple(self._by_id.values()))

    def reset(self) -> None:
        """Only those that the folders have from the start, as new."""
        self._by_id.clear()
        self._by_name.clear()
        self._ids = itertools.count(1)
        self._make_those_of_the_start()

    def of(self, folder: Folder | None) -> list[Catalog]:
        """The catalogs that are seen in a folder."""
        return [catalog for catalog in self if folder in catalog.folders]

    def named(self, folder: Folder, name: str) -> Catalog | None:
        """The catalog of that name in a folder."""
        return self._by_name.get((folder, name))

    def get(self, catalog_id: int, folder: Folder | None = None) -> Catalog:
        """The catalog of this id; in the folder, if one is given."""
        catalog = self._by_id.get(catalog_id)
        if catalog is None or (folder is not None and folder not in catalog.folders):
            raise failures.unknown("Task catalog")
        return catalog

    def create(self, request: NewCatalog, folder: Folder) -> Catalog:
        """A new catalog in the folder. 409 with code 1001 if its name is used there."""
        self._check_name(request.name, (folder,))
        return self._make(request, folder, UUID(int=self._rng.getrandbits(128), version=4), self._clock())

    def update(self, catalog: Catalog, request: NewCatalog) -> None:
        """All that may change, replaced: whether it is encrypted stays."""
        self._check_name(request.name, catalog.folders, besides=catalog)
        for folder in catalog.folders:
            del self._by_name[folder, catalog.name]
            self._by_name[folder, request.name] = catalog
        catalog.name = request.name
        catalog.description = request.description
        catalog.tags = request.tags
        catalog.retention = request.retention
        catalog.modification_time = self._clock()

    def delete(self, catalog: Catalog) -> None:
        """Forget an empty catalog."""
        del self._by_id[catalog.id]
        for folder in catalog.folders:
            del self._by_name[folder, catalog.name]

    def share(self, catalogs: Sequence[Catalog], more: Iterable[Folder], fewer: Iterable[Folder]) -> None:
        """Show the catalogs in more folders and in fewer, all of them or none. One that is left without a folder is still found by id."""
        more, fewer = tuple(more), frozenset(fewer)
        names = [catalog.name for catalog in catalogs]
        for catalog in catalogs:
            new = [folder for folder in more if folder not in catalog.folders]
            self._check_name(catalog.name, new)
            if new and names.count(catalog.name) > 1:
                raise failures.name_used(catalog.name)
        for catalog in catalogs:
            for folder in catalog.folders:
                del self._by_name[folder, catalog.name]
            catalog.folders = [folder for folder in dict.fromkeys((*catalog.folders, *more)) if folder not in fewer]
            for folder in catalog.folders:
                self._by_name[folder, catalog.name] = catalog

    def index(self) -> None:
        """Let every catalog be found by its name in each of its folders."""
        self._by_name = {(folder, catalog.name): catalog for catalog in self for folder in catalog.folders}

    def _check_name(self, name: str, folders: Iterable[Folder], besides: Catalog | None = None) -> None:
        for folder in folders:
            if self._by_name.get((folder, name)) not in (None, besides):
                raise failures.name_used(name)

    def _make_those_of_the_start(self) -> None:
        now = self._clock()
        for folder in self._folders:
            for name in folder.catalogs:
                self._make(NewCatalog(name=name), folder, uuid5(folder.key, name), now)

    def _make(self, request: NewCatalog, folder: Folder, key: UUID, now: datetime) -> Catalog:
        catalog = Catalog(
            id=next(self._ids),
            key=key,
            name=request.name,
            creation_time=now,
            folders=[folder],
            description=request.description,
            encrypted=request.encrypted,
            tags=request.tags,
            retention=request.retention,
        )
        self._by_id[catalog.id] = catalog
        self._by_name[folder, catalog.name] = catalog
        return catalog
