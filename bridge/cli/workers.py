"""Several workers on one machine: processes of the same command that share one listening socket, started again when they die."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process

import structlog

SOCKET = "BRIDGE_WORKER_SOCKET"
"""Tells a worker the file descriptor that it inherits."""

LIFELINE = "BRIDGE_WORKER_LIFELINE"
"""Tells a worker the end of a pipe that it inherits: when the other end is closed, nobody watches over it any more."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

_log = structlog.get_logger()


def inherited_socket() -> socket.socket | None:
    """The socket that a worker was given; None in a process of its own."""
    descriptor = os.environ.pop(SOCKET, "")
    return socket.socket(fileno=int(descriptor)) if descriptor.isdecimal() else None


def watch_lifeline(stop: asyncio.Event) -> None:
    """Stop when the process that started this worker has ended without telling it to."""
    descriptor = os.environ.pop(LIFELINE, "")
    if not descriptor.isdecimal():
        return
    loop, lifeline = asyncio.get_running_loop(), int(descriptor)

    def orphaned() -> None:
        loop.remove_reader(lifeline)
        _log.error("the process that started this worker has ended; so does the worker")
        stop.set()

    loop.add_reader(lifeline, orphaned)


async def run_workers(count: int, listening: socket.socket, stop: asyncio.Event) -> None:
    """Keep so many workers running until told to stop; then let each end as a service does."""
    lifeline, held = os.pipe()  # its other end is closed when we end, however we do
    try:
        await asyncio.gather(*(_keep(number, listening, lifeline, stop) for number in range(1, count + 1)))
    finally:
        os.close(held)
        os.close(lifeline)


async def _keep(number: int, listening: socket.socket, lifeline: int, stop: asyncio.Event) -> None:
    pause = _FIRST_PAUSE_S
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        try:
            process = await _start(listening, lifeline)
        except OSError as error:
            _log.error("a worker cannot be started now", worker=number, error=str(error), again_in_s=pause)
        else:
            if await _ended(process, stop):
                return
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            _log.error("a worker ended; it is started again", worker=number, code=process.returncode, again_in_s=pause)
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            pause = min(2 * pause, _LONGEST_PAUSE_S)


async def _start(listening: socket.socket, lifeline: int) -> Process:
    """The same command line as ours, but for the socket."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *_flags(),
        "-m",
        "bridge",
        *sys.argv[1:],
        pass_fds=[listening.fileno(), lifeline],
        env={**os.environ, SOCKET: str(listening.fileno()), LIFELINE: str(lifeline)},
        start_new_session=True,  # Ctrl-C reaches us alone, and we tell them
    )


async def _ended(process: Process, stop: asyncio.Event) -> bool:
    """Wait for its end, or tell it to stop; whether it was told."""
    stopping, ending = asyncio.create_task(stop.wait()), asyncio.create_task(process.wait())
    await asyncio.wait([stopping, ending], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set() and process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await ending
    return stop.is_set()


def _flags() -> list[str]:
    return [f"-W{option}" for option in sys.warnoptions]
