"""One log for everything, on stderr: readable on a terminal, JSON Lines elsewhere.

What libraries write with the standard library's logging comes out the same way. Lines that are
about one request, or what it led to, carry its `correlation_id`. Tracebacks come without the values
of variables, and unless DEBUG is set without what exceptions say: passwords, names and emails are
among both.
"""

import logging
import sys
import traceback
from contextvars import ContextVar

import structlog
from structlog.typing import ExcInfo, Processor

from runtime.settings import Settings

QUIET = ("granian", "_granian", "dramatiq", "httpx", "httpcore", "asyncio", "eventsourcing")

correlation_id = ContextVar[str | None]("correlation_id", default=None)
"""Of the request that a task works for, or of what that led to. A request sets it in a tenth of the
time that structlog's own takes."""


def configure(role: str, settings: Settings) -> None:
    """Every line carries `role`."""
    json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    level = settings.log_level or ("debug" if settings.debug else "info")
    shared: list[Processor] = [
        _add_correlation_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _role_adder(role),
    ]
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
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json
        # No rich traceback: it prints the values of variables, names and keys among them.
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_in_full if settings.debug else _in_short),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _add_correlation_id(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if (id := correlation_id.get()) is not None:
        event.setdefault("correlation_id", id)
    return event


def _role_adder(role: str) -> Processor:
    def add_role(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("role", role)
        return event

    return add_role


def _in_full(exc_info: ExcInfo) -> str:
    return "".join(traceback.format_exception(*exc_info)).rstrip()


def _in_short(exc_info: ExcInfo) -> str:
    """Where each came from and of which class it is, the one that began it first."""
    texts = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        texts.append("".join([*traceback.format_tb(error.__traceback__), type(error).__name__]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich led to:\n\n".join(reversed(texts))
