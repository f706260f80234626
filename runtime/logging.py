"""The log of all processes, on stderr: readable text on a terminal, JSON Lines elsewhere.

Log lines of libraries have the same form. Lines about a request, or about work that it caused, have
its `correlation_id`. Tracebacks contain no values of variables, and no messages of exceptions
unless DEBUG is set: both may contain passwords, names and emails.
"""

import logging
import sys
import traceback
from contextvars import ContextVar

import structlog
from structlog.typing import ExcInfo, Processor

from runtime.settings import Settings

QUIET_LOGGERS = ("granian", "_granian", "dramatiq", "httpx", "httpcore", "asyncio", "eventsourcing")

correlation_id = ContextVar[str | None]("correlation_id", default=None)
"""The correlation id of the request that caused the current work. Setting it takes a tenth of the
time of structlog's own context variables."""


def configure(role: str, settings: Settings) -> None:
    """Set up the log of this process. Every line has the field `role`."""
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
        # No rich traceback: it prints the values of variables, which include names and keys.
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(
                    _full_traceback if settings.debug else _short_traceback
                ),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET_LOGGERS:
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


def _full_traceback(exc_info: ExcInfo) -> str:
    return "".join(traceback.format_exception(*exc_info)).rstrip()


def _short_traceback(exc_info: ExcInfo) -> str:
    """The location and class of each exception in the chain, the original cause first."""
    texts = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        texts.append("".join([*traceback.format_tb(error.__traceback__), type(error).__name__]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich led to:\n\n".join(reversed(texts))
