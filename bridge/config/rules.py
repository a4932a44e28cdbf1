"""What must hold between sections.

The rules read plain data, not models, so that they can speak even when a section has mistakes of its own: a person with
five mistakes learns of five, not of one at a time.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from bridge.config.types import Place, nearest

Mistake = tuple[Place, str]


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is out of other machines' reach."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def misfits(data: Mapping[str, Any]) -> Iterator[Mistake]:
    """Where the sections of `data` contradict each other. What is missing, or of a wrong kind, is passed over."""
    sources = _mapping(data.get("sources"))
    routes = data.get("routes")
    named = [
        (index, route) for index, route in enumerate(routes if isinstance(routes, list) else []) if _mapping(route)
    ]
    yield from _unverified(sources, _mapping(data.get("server")).get("host", "127.0.0.1"))
    yield from _unknown_sources(named, sources)
    yield from _blind_refreshes(named, sources)
    yield from _equal_names(named)


def _unverified(sources: Mapping[str, Any], host: object) -> Iterator[Mistake]:
    for name, source in sources.items():
        if _mapping(source).get("verify") == "none" and isinstance(host, str) and not is_loopback(host):
            yield (
                ("sources", name, "verify"),
                "`none` lets anyone in, and server.host is open to other machines: use hmac, bearer or query",
            )


def _unknown_sources(routes: list[tuple[int, Any]], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    for index, route in routes:
        source = route.get("source")
        if sources and isinstance(source, str) and source not in sources:
            meant = nearest(source, sources)
            hint = f"; did you mean `{meant}`?" if meant else ""
            yield ("routes", index, "source"), f"names no source; there are: {', '.join(sources)}{hint}"


def _blind_refreshes(routes: list[tuple[int, Any]], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    for index, route in routes:
        source = route.get("source")
        if not isinstance(source, str) or source not in sources or route.get("refresh") is not True:
            continue
        if _mapping(sources[source]).get("type") == "webhook":
            yield ("routes", index, "refresh"), "is not for a source of type webhook, which has no API: remove it"
        elif not _mapping(sources[source]).get("api"):
            yield ("routes", index, "refresh"), f"needs the tracker's API: give source {source} its `api`, or remove it"


def _equal_names(routes: list[tuple[int, Any]]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, route in routes:
        name = route.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield ("routes", index, "name"), f"is the name of routes[{first[name]}], too: give each route its own"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
