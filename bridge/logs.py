"""Logs: readable on a terminal, JSON lines otherwise, on stderr. A line per decision; no secret, no body."""

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # a local variable may be a secret
)


def _json(event: object, *, default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default, orjson.OPT_NON_STR_KEYS).decode()


def configure(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send our lines and the libraries' warnings to one stream in one form."""
    terminal = stream.isatty()
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True, sort_keys=False, exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [_TRACEBACKS, structlog.processors.JSONRenderer(_json)]
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
