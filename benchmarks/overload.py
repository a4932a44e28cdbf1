"""`python -m benchmarks.overload`: twice as many large webhooks as can be acknowledged, over more connections than there is room for.

Bodies are of 100 KB, so that those under way come to more than the 64 MB that the receiver holds. What it cannot hold it has to refuse
with 503 and Retry-After, and go on to acknowledge as many as before; afterwards it is as quick as ever.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from benchmarks.arrivals import overload
from benchmarks.figures import Figure, table
from benchmarks.load import Connection, Served, body, request, run
from benchmarks.servers import empty_database, pinned, prepared, process

_SIZE = 100_000
_AT_ONCE = 500
"""As many as there is room for."""
_numbers = count(200_000_000)
_PADDING = b'"padding": "' + (b"The printer on floor 3 prints in mirror writing. " * (_SIZE // 49)) + b'", '


def large() -> bytes:
    """The next signed webhook."""
    return request(body(next(_numbers)).replace(b'"fields": {', b'"fields": {' + _PADDING, 1))


async def most(server: Served, seconds: float) -> float:
    """How many it acknowledges a second, if all that are under way can be held."""
    ends = time.perf_counter() + seconds
    done = 0

    async def connection() -> None:
        nonlocal done
        async with Connection(server.url) as to:
            while time.perf_counter() < ends:
                status = await to.send(large())
                if status != 202:
                    raise RuntimeError(f"the server answered {status}")
                done += 1

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(_AT_ONCE)))
    return done / (time.perf_counter() - began)


async def measure(seconds: float) -> list[Figure]:
    """On SQLite."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("sqlite", Path(name)) as url:
        async with process(await prepared(Path(name), url, None)) as server:
            await most(server, 1)
            await server.rests()
            maximum = await most(server, 5)
            await server.rests()
            twice = await overload(server, maximum, seconds, large)
    return [Figure("webhooks of 100 KB, at most", maximum, "/s"), *twice]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of more than it can acknowledge")
    chosen = parser.parse_args()
    pinned()
    sys.stdout.write(table(run(measure(chosen.seconds))) + "\n")


if __name__ == "__main__":
    main()
