"""What OData may be asked about: entities with their properties and their ways to others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.sandbox.orchestrator.failures import invalid as refused

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Property(Generic[T]):
    """A property of an entity: where its value is, its kind (None if it cannot be filtered by), and an enum's names."""

    get: Callable[[T], Any]
    kind: type | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Navigation(Generic[T]):
    """A way to related entities, which are answered only where `$expand` asks for them: one, which may be None, or many."""

    get: Callable[[T], Any]
    entity: "Entity[Any]"
    many: bool = False


class Entity(Generic[T]):
    """A named set of properties and of ways to others. Queries spell them in any case; answers in theirs."""

    def __init__(
        self,
        name: str,
        properties: Mapping[str, Property[T]],
        navigations: Mapping[str, Navigation[T]] | None = None,
    ) -> None:
        self.name = name
        self.properties = properties
        self.navigations = navigations or {}
        self._names = {name.lower(): name for name in (*properties, *self.navigations)}

    def named(self, name: str) -> str:
        """The property's own spelling."""
        try:
            return self._names[name.strip().lower()]
        except KeyError:
            raise refused(f"Could not find a property named '{name.strip()}' on type '{self.name}'.") from None

    def shown(self, item: T) -> dict[str, Any]:
        """An item with all its properties, and nothing expanded."""
        return {name: found.get(item) for name, found in self.properties.items()}

    def navigation(self, name: str) -> Navigation[T]:
        """The way of this name."""
        found = self.navigations.get(self.named(name))
        if found is None:
            raise refused(f"Property '{name.strip()}' on type '{self.name}' is not a navigation property.")
        return found

    def at(self, path: Sequence[str]) -> Property[T]:
        """The property at a path's end; what lies beyond nobody is null. Only ways to one entity can be followed."""
        name, *rest = path
        if not rest:
            own = self.named(name)
            return self.properties.get(own) or Property(self.navigations[own].get)
        way = self.navigation(name)
        if way.many:
            raise refused(f"The property '{name}' of type '{self.name}' is a collection.")
        found, get = way.entity.at(rest), way.get
        return Property(lambda item: None if (one := get(item)) is None else found.get(one), found.kind, found.values)
