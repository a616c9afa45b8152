"""Structured logs that carry the ids of the work at hand: correlation, auction, sale and saga.

`with logs.bound(sale_id=…)` adds ids to every line inside; `correlation_id()` is what events and tasks pass on.
JSON when GAVEL_LOG_FORMAT=json (production), readable lines otherwise.
"""

import contextlib
import logging
import logging.config
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import structlog

get = structlog.stdlib.get_logger


def configure(*, json: bool, level: str) -> None:
    """Route structlog and the standard library through one formatter to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json else structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
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
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "gavel"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "uvicorn.access": {"level": "WARNING"},
                # It logs each WebSocket's address, one-time ticket and all.
                "uvicorn.error": {"level": "WARNING"},
                "httpx": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
            },
        }
    )


@contextlib.contextmanager
def bound(**ids: str | int | None) -> Iterator[None]:
    """Every log line inside carries `ids` (those that are not None)."""
    with structlog.contextvars.bound_contextvars(
        **{name: value for name, value in ids.items() if value is not None}
    ):
        yield


def correlation_id() -> str:
    """The id that ties a request to all that follows from it; a fresh one where none is bound."""
    found = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(found) if found else uuid.uuid4().hex
