"""Health: `/healthz` while the process lives, `/readyz` while it can do its work."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bridge.errors import StoreUnavailable
from bridge.store import Database, revisions


async def healthz(_request: Request) -> Response:
    """The process lives."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readiness(database: Database) -> Response:
    """The database answers and its schema is this version's; else 503 with the reason per part."""
    parts = {"database": "ok", "schema": "unknown"}
    try:
        found = await revisions(database)
    except StoreUnavailable as error:
        parts["database"] = str(error)
    else:
        parts["schema"] = "ok" if found.up_to_date else f"is {found.current}, needs {found.head}: {found.remedy}"
    ready = set(parts.values()) == {"ok"}
    body = {"status": "ok" if ready else "not ready", **parts}
    return Response(orjson.dumps(body), 200 if ready else 503, media_type="application/json")
