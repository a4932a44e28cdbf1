"""The correlation key: what CreateTask carries as `parentOperationId`, so that a task can be found again, and its ticket from it."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

CORRELATION_KEY_LIMIT = 128
"""Characters of `parentOperationId`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which ticket's task it is, and of which generation."""

    source: str
    ticket_id: str
    generation: int


def correlation_key(deployment: str, source: str, ticket_id: str, generation: int) -> str:
    """The key of a ticket's task. At most 128 characters: of a longer one the end is its digest."""
    key = f"{deployment}/{source}/{ticket_id}/{generation}"
    if len(key) <= CORRELATION_KEY_LIMIT:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: CORRELATION_KEY_LIMIT - len(digest) - 1]}/{digest}"


def identity_of(key: str, deployment: str, sources: Collection[str]) -> Identity | None:
    """Whose key it is; None for one of another deployment or source, and for one whose end is a digest: that tells no ticket.

    Neither a deployment's name nor a source's holds a `/`; a ticket's id may.
    """
    name, _, rest = key.partition("/")
    source, _, rest = rest.partition("/")
    ticket_id, _, generation = rest.rpartition("/")
    if name != deployment or source not in sources or not ticket_id or not generation.isdecimal():
        return None
    identity = Identity(source, ticket_id, int(generation)) if len(generation) < CORRELATION_KEY_LIMIT else None
    if (
        identity is None
        or identity.generation < 1
        or correlation_key(name, source, ticket_id, identity.generation) != key
    ):
        return None
    return identity


def is_digested(key: str, deployment: str, sources: Collection[str]) -> bool:
    """Whether it may be the key of such a source whose end is a digest."""
    kept, _, digest = key.rpartition("/")
    prefixes = (f"{deployment}/{source}/"[: len(kept)] for source in sources)
    return len(key) == CORRELATION_KEY_LIMIT and len(digest) == 64 and any(map(kept.startswith, prefixes))
