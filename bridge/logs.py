"""Logs: readable on a terminal, JSON lines otherwise, on stderr. A line per decision; no secret, no body."""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

import orjson
import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # a local variable may be a secret
)


def _json(event: object, *, default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default, orjson.OPT_NON_STR_KEYS).decode()


class _Lines:
    """A logger that writes lines to a stream: what goes well once in a pass of the event loop, anything else at once.

    Under load every pass has several lines, and each write is a trip to the kernel and to whoever reads them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()  # which threads may share
        self._written_by: asyncio.AbstractEventLoop | None = None

    def info(self, line: str) -> None:
        """With the others of this pass."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # there is none in this thread
            self.warning(line)
            return
        self._waiting.append(line)
        if self._written_by is not loop:
            self._written_by = loop
            loop.call_soon(self._end_pass)

    debug = info

    def warning(self, line: str) -> None:
        """At once, after those that wait."""
        self._waiting.append(line)
        self._write()

    error = critical = warning

    def _end_pass(self) -> None:
        self._written_by = None
        self._write()

    def _write(self) -> None:
        lines: list[str] = []
        with suppress(IndexError):  # another thread may have taken the last one
            while self._waiting:
                lines.append(self._waiting.popleft())
        if lines:
            self._stream.write("\n".join([*lines, ""]))
            self._stream.flush()


def configure(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send our lines and the libraries' warnings to one stream in one form."""
    terminal = stream.isatty()
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True, sort_keys=False, exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [_TRACEBACKS, structlog.processors.JSONRenderer(_json)]
    )
    lines = _Lines(stream)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
