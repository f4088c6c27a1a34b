"""One line for each event: JSON in production, plain text in development."""

import json
import logging.config
import re
from datetime import UTC, datetime

from pydantic_core import PydanticSerializationError, to_json

from api.dependencies.middleware.request_id import current_request_id
from api.dependencies.telemetry import current_trace  # option: telemetry

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that begin a line, move the cursor or colour a terminal."""


class PlainFormatter(logging.Formatter):
    """Lines for a terminal; outside a traceback, control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level and message; for all but requests, which have fields, also logger, request id and traceback."""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<8} "
        if hasattr(record, "fields"):
            line += record.getMessage()
        else:
            line += f"{record.name}: {record.getMessage()}"
            if request_id := current_request_id.get():
                line += f" request_id={request_id}"
        line = CONTROLS.sub(lambda control: ascii(control[0])[1:-1], line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time (UTC), level, logger, message, request id, the record's `fields`, and the traceback of an exception."""
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id.get(),
            **current_trace(),  # option: telemetry
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        try:
            return to_json(event, ensure_ascii=True, fallback=str).decode()
        except PydanticSerializationError:  # a lone surrogate, or bytes that are not UTF-8
            return json.dumps(event, default=str)


def configure_logging(level: str, *, as_json: bool) -> None:
    """Write every logger's lines to stderr, those of the servers included.

    The servers' own access logs are off: `AccessLogMiddleware` writes the access log.
    """
    # Values that no line holds: https://docs.python.org/3/howto/logging.html#optimization.
    logging.logMultiprocessing = logging.logProcesses = logging.logThreads = False
    to_root = {"handlers": [], "propagate": True}
    silent = {"handlers": [], "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": JsonFormatter if as_json else PlainFormatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": level, "handlers": ["stderr"]},
            "loggers": {
                "aiosqlite": {"level": "INFO"},  # its DEBUG lines hold values of rows
                "alembic": {"level": "WARNING"},
                "gunicorn.error": to_root,
                "opentelemetry.util.re": {"level": "ERROR"},  # its warnings hold values of headers  # option: telemetry
                "urllib3": {"level": "INFO"},  # its DEBUG lines report the export of log lines  # option: telemetry
                "uvicorn": to_root,
                "uvicorn.error": to_root,
                "uvicorn.access": silent,
            },
        }
    )
