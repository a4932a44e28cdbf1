"""The baseline: a Starlette endpoint that only reads the body and answers 202, served as the bridge is."""

import asyncio
import json
import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.serving import serving


async def _receive(request: Request) -> Response:
    await request.body()
    return Response(b'{"deliveries":[1],"duplicates":0}', 202, media_type="application/json")


async def _serve() -> None:
    async with serving(Starlette(routes=[Route("/hooks/{source}", _receive, methods=["POST"])])) as url:
        sys.stderr.write(json.dumps({"event": "listening", "url": url}) + "\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
