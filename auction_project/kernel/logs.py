"""Structured logs. Each line carries the ids of the work that it is about: correlation, auction, sale and saga.

`with logs.bound(sale_id=…)` adds ids to every line inside. Events and tasks pass `correlation_id()` on, and `span_id()` where the
trace is kept. While traces are on, a line with a correlation id names its trace. The lines are
JSON when GAVEL_LOG_FORMAT=json (production), and readable text otherwise. A client cannot forge a line, because control
characters are escaped and each line of a traceback is marked.
"""

import contextlib
import io
import logging
import logging.config
import sys
import uuid
from collections.abc import Iterator
from typing import Any, TextIO

import structlog

from auction_project.kernel import tracing

get = structlog.stdlib.get_logger


def configure(*, json: bool, level: str) -> None:
    """Route structlog and the standard library through one formatter to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_trace_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json else structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=_marked_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "gavel": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        _escape_control_characters,
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "gavel"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "uvicorn.access": {"level": "WARNING"},
                # At INFO it logs the address of each WebSocket with its one-time ticket.
                "uvicorn.error": {"level": "WARNING"},
                "httpx": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
            },
        }
    )


def _add_trace_id(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    if tracing.is_on and (correlation := event.get("correlation_id")):
        event["trace_id"] = tracing.trace_id(str(correlation))
    return event


def _escape_control_characters(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A processor that keeps each event on one line. For tracebacks see `_marked_traceback`."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable() and name not in ("exception", "stack"):
            event[name] = _printable(value)
    return event


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _marked_traceback(output: TextIO, exc_info: Any) -> None:
    """Write a traceback with a mark before each line, because its message may hold line breaks that a client sent."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    output.write("\n" + "\n".join(f"  | {_printable(line)}" for line in text.getvalue().strip().splitlines()))


@contextlib.contextmanager
def bound(**ids: str | int | None) -> Iterator[None]:
    """Every log line inside carries `ids` (those that are neither None nor empty)."""
    with structlog.contextvars.bound_contextvars(
        **{name: value for name, value in ids.items() if value not in (None, "")}
    ):
        yield


def correlation_id() -> str:
    """The id that ties a request to all that follows from it; a fresh one if none is bound."""
    bound_id = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(bound_id) if bound_id else uuid.uuid4().hex


def span_id() -> str:
    """The id of the span that what happens now belongs to; empty where the trace is not kept."""
    return str(structlog.contextvars.get_contextvars().get("span_id", ""))
