"""Serving an ASGI application with uvicorn, in our own event loop: where it listens is known at once, and stopping it is ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

GRACE_S = 5
"""How long a stop waits for requests that are being answered."""
KEEP_ALIVE_S = 75
"""How long an idle connection is kept: longer than proxies and load balancers keep theirs (60 s by habit), so that it is they
who close it. A server that closes first does so, now and then, under a request that is just being sent: a webhook lost."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a signal is the command's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: Any, host: str = "127.0.0.1", port: int = 0, *, on: socket.socket | None = None, **options: Any
) -> AsyncIterator[str]:
    """The application's base URL while it is served; port 0 takes a free one. Raises `OSError` if the address is taken.

    `on` is a socket that listens already.
    """
    listening = on or listen(host, port)
    bound = listening.getsockname()[1]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        **options,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        server.should_exit = True
        await task
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError` that names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only on these
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    listening.listen(2048)
    listening.setblocking(False)
    return listening
