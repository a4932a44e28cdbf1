"""How the server treats its connections, with an hour of the event loop's time in the blink of an eye."""

import asyncio

import httpx
from starlette.responses import PlainTextResponse

from bridge.serving import serving


class Hasty(asyncio.SelectorEventLoop):
    """An event loop whose time can be moved on."""

    ahead: float = 0

    def time(self) -> float:
        return super().time() + self.ahead


async def a_connection_after(idle: float, loop: Hasty) -> bytes:
    """What a client reads that asks twice on one connection, with `idle` seconds between its requests."""
    async with serving(PlainTextResponse("here")) as url:
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        loop.ahead += idle
        await asyncio.sleep(0)  # what is due is done
        writer.write(b"GET / HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n")
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def in_no_time(idle: float) -> bytes:
    with asyncio.Runner(loop_factory=Hasty) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Hasty)
        return runner.run(a_connection_after(idle, loop))


def test_an_idle_connection_outlives_the_minute_that_proxies_keep_theirs() -> None:
    assert in_no_time(65).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_not_kept_for_ever() -> None:
    assert in_no_time(3600) == b""
