"""Serving an ASGI application with uvicorn, in our own event loop: where it listens is known at once, and stopping it is ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.timeouts import Timeouts

GRACE_S = 5
"""How long a stop waits for requests that are being answered."""
KEEP_ALIVE_S = 75
"""How long an idle connection is kept: longer than proxies and load balancers keep theirs (60 s by habit), so that it is they
who close it. A server that closes first does so, now and then, under a request that is just being sent: a webhook lost."""


class _Pass:
    """The transports that hold something until this pass of the event loop is over."""

    def __init__(self) -> None:
        self._holding: list[_Together] = []

    def add(self, transport: "_Together") -> None:
        """It is told when the pass is over."""
        if not self._holding:
            asyncio.get_running_loop().call_soon(self._over)
        self._holding.append(transport)

    def _over(self) -> None:
        holding, self._holding = self._holding, []
        for transport in holding:
            transport.release()


class _Together:
    """A transport on which what is written twice in a pass of the event loop goes out once.

    uvicorn writes the head of an answer and its body one after the other: two system calls, two packets, and a client that wakes twice.
    """

    def __init__(self, transport: asyncio.Transport, this_pass: _Pass) -> None:
        self._transport = transport
        self._pass = this_pass
        self._held = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it with what is held, or else hold it."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._pass.add(self)

    def release(self) -> None:
        """Send what is held, if anything is and if it still can be."""
        data, self._held = self._held, b""
        if data and not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close it after what is held."""
        self.release()
        self._transport.close()


class _Idle(Struct, frozen=True):
    """A connection that waits for its next request, to uvicorn a timer."""

    among: Timeouts[Callable[[], None]]
    close: Callable[[], None]

    def cancel(self) -> None:
        """The request has come."""
        self.among.end(self.close)


class _Loop:
    """The event loop as far as uvicorn's HTTP asks for it, with one timer for all connections that are idle."""

    def __init__(self) -> None:
        self.create_task = asyncio.get_running_loop().create_task
        self._idle: Timeouts[Callable[[], None]] = Timeouts(KEEP_ALIVE_S, lambda close: close())

    def call_later(self, _seconds: float, close: Callable[[], None]) -> _Idle:
        """Close it if it stays idle for `KEEP_ALIVE_S`: nothing else is ever asked for."""
        self._idle.begin(close)
        return _Idle(self._idle, close)


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, with answers that go out whole, and without a timer for each."""

    def __init__(self, this_pass: _Pass, loop: _Loop, **given: Any) -> None:
        super().__init__(**{**given, "_loop": loop})
        self._pass = this_pass

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self.transport = _Together(transport, self._pass)  # type: ignore[assignment]


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a signal is the command's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on: socket.socket | None = None,
    http: type[Protocol] = Protocol,
    **options: Any,
) -> AsyncIterator[str]:
    """The application's base URL while it is served; port 0 takes a free one. Raises `OSError` if the address is taken.

    `on` is a socket that listens already.
    """
    listening = on or listen(host, port)
    bound = listening.getsockname()[1]
    config = uvicorn.Config(
        app,
        interface="asgi3",
        log_config=None,
        access_log=False,
        lifespan="off",
        http=partial(http, _Pass(), _Loop()),  # type: ignore[arg-type]
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
