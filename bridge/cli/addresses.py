"""Where a source's webhooks go, as the operator is told it: the secret that an address carries is never written out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config import Source

_TOKEN = {"query": "?token=…", "path": "/…"}


def address(name: str, source: "Source") -> str:
    """The path of a source's webhooks, with `…` in place of the secret where it stands in the address."""
    return f"/hooks/{name}{_TOKEN.get(source.verify, '')}"
