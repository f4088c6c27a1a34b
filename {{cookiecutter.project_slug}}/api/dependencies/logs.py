"""One line an event: JSON in production, plain text in development, the request id in each."""

import json
import logging.config
import re
from datetime import UTC, datetime

from api.dependencies.request_id import current_request_id
from api.dependencies.telemetry import current_trace  # option: telemetry

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What begins a line, moves the cursor or colours a terminal."""

to_json = json.JSONEncoder(default=str).encode


class PlainFormatter(logging.Formatter):
    """Lines for a terminal; outside a traceback, text can't begin a line of its own, or play with the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message, what the event carries, request id, and a traceback where it has one."""
        fields = {**getattr(record, "fields", {}), "request_id": current_request_id.get()}
        extra = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        time = self.formatTime(record, "%H:%M:%S")
        line = f"{time} {record.levelname:<8} {record.name}: {record.getMessage()} {extra}".rstrip()
        line = CONTROLS.sub(lambda control: ascii(control[0])[1:-1], line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a machine that collects logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time (UTC), level, logger, message, request id, what the event carries, and a traceback where it has one."""
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
        return to_json(event)


def configure_logging(level: str, *, as_json: bool) -> None:
    """Send every logger's lines through one handler, the servers' included; the access lines are ours alone."""
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
                "aiosqlite": {"level": "INFO"},  # its debug lines repeat what is written
                "alembic": {"level": "WARNING"},
                "gunicorn.error": to_root,
                "urllib3": {"level": "INFO"},  # its debug lines are about sending lines  # option: telemetry
                "uvicorn": to_root,
                "uvicorn.error": to_root,
                "uvicorn.access": silent,
            },
        }
    )
