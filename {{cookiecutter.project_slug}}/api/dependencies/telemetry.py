"""Traces, metrics and logs for an OpenTelemetry collector, configured by the `OTEL_*` variables; off without them."""

import asyncio
import logging
from threading import Thread
from time import monotonic
from typing import Self, TypeAlias

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import Connection, Engine, ExceptionContext, event

from api import TITLE, VERSION
from api.dependencies.health import HEALTH_ROUTES
from api.dependencies.middleware.request_id import current_request_id

FLUSH_SECONDS = 3.0
"""How long the shutdown of the application waits for a collector."""

WARNING_INTERVAL = 60.0
"""Seconds between two lines of one logger about a collector that is unreachable."""

Sender: TypeAlias = BatchSpanProcessor | PeriodicExportingMetricReader | BatchLogRecordProcessor


class Variables(BaseSettings):
    """The variables that decide whether a signal is exported; OpenTelemetry itself reads all others. None is in `.env`."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    otel_sdk_disabled: str = "false"
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_metrics_endpoint: str | None = None
    otel_exporter_otlp_logs_endpoint: str | None = None
    otel_traces_exporter: str = "otlp"
    otel_metrics_exporter: str = "otlp"
    otel_logs_exporter: str = "otlp"

    def is_enabled(self, signal: str) -> bool:
        """Whether the signal has an endpoint and is not switched off."""
        endpoint = self.otel_exporter_otlp_endpoint or getattr(self, f"otel_exporter_otlp_{signal}_endpoint")
        exporter = getattr(self, f"otel_{signal}_exporter")
        return bool(endpoint) and exporter == "otlp" and self.otel_sdk_disabled.strip().lower() != "true"


class Telemetry:
    """The providers and exporters of one application.

    The providers are not the global ones, which can't be replaced for a second application. Nothing is exported before
    `start`: the threads of exporters would not survive the fork of a server's workers.
    """

    def __init__(self) -> None:
        variables = Variables()
        self._tracing = self._metering = self._logging = None
        self._log_handler: LogSender | None = None
        self._senders: list[Sender] = []
        if variables.is_enabled("traces"):
            self._tracing = TracerProvider(resource=create_resource(), shutdown_on_exit=False)
        if variables.is_enabled("metrics"):
            self._metering = MeterProvider(resource=create_resource(), shutdown_on_exit=False)
        if variables.is_enabled("logs"):
            self._logging = LoggerProvider(resource=create_resource(), shutdown_on_exit=False)
        self.config = TelemetryConfig(
            tracer_provider=self._tracing,
            meter_provider=self._metering,
            logs=False,  # LogSender exports the log lines
            operation_spans=False,  # a span for each dependency costs as much as all others together
            exclude=lambda scope: scope["path"] in HEALTH_ROUTES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self, engine: Engine) -> None:
        """Begin to export, statements of `engine` included."""
        if self._tracing:
            spans = BatchSpanProcessor(OTLPSpanExporter())
            self._tracing.add_span_processor(RedactedQueries())
            self._tracing.add_span_processor(spans)
            trace_statements(engine, self._tracing)
            self._senders.append(spans)
        if self._metering:
            metrics = PeriodicExportingMetricReader(OTLPMetricExporter())
            self._metering.add_metric_reader(metrics)
            self._senders.append(metrics)
        if self._logging:
            records = BatchLogRecordProcessor(OTLPLogExporter())
            self._logging.add_log_record_processor(records)
            self._senders.append(records)
            self._log_handler = LogSender(self._logging)
            logging.root.addHandler(self._log_handler)
        if self._senders:
            for handler in logging.root.handlers:
                handler.addFilter(RateLimitedWarnings())

    def stop(self) -> None:
        """Export what is left, for up to `FLUSH_SECONDS`."""
        if self._log_handler:
            logging.root.removeHandler(self._log_handler)
        deadline = monotonic() + FLUSH_SECONDS
        # An exporter waits half a minute for its collector, which is not configurable; a daemon thread may be left behind.
        threads = [Thread(target=sender.shutdown, daemon=True) for sender in self._senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def create_resource() -> Resource:
    """Create the resource of this service; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override it."""
    default = Resource.create({"service.name": TITLE, "service.version": VERSION})
    return default.merge(OTELResourceDetector().detect())


def current_trace() -> dict[str, str]:
    """Return the ids of the current trace and span, if there are any."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}


def trace_statements(engine: Engine, provider: TracerProvider) -> None:
    """Record a span for each statement of a traced request, with its text but without its parameters.

    OpenTelemetry's instrumentation does not support SQLAlchemy 2.1, and records the driver's messages, which hold values.
    The attributes follow https://opentelemetry.io/docs/specs/semconv/database/database-spans/.
    """
    tracer = provider.get_tracer(__name__)
    url = engine.url
    where = {"db.namespace": url.database, "server.address": url.host, "server.port": url.port}
    known = {name: value for name, value in where.items() if value is not None}

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, _: object, statement: str, *_others: object) -> None:
        if trace.get_current_span().is_recording():
            operation = statement.split(maxsplit=1)[0].upper()
            what = {"db.system.name": engine.dialect.name, "db.operation.name": operation, "db.query.text": statement}
            span = tracer.start_span(operation, kind=SpanKind.CLIENT, attributes={**known, **what})
            connection.info["span"] = span

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: Connection, *_: object) -> None:
        if span := connection.info.pop("span", None):
            span.end()

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        if context.connection and (span := context.connection.info.pop("span", None)):
            span.set_attribute("error.type", type(context.original_exception).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()


class RedactedQueries(SpanProcessor):
    """Redact query strings, which may hold secrets; the access log leaves them out too."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - passed by name
        """Redact the query string of a new span."""
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")


class LogSender(logging.Handler):
    """Export log records with the fields of their JSON lines, except those of health checks."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, which another thread exports."""
        fields = getattr(record, "fields", {})
        if fields.get("path") in HEALTH_ROUTES:
            return
        try:
            self._provider.get_logger(record.name).emit(
                timestamp=int(record.created * 1e9),
                severity_number=SeverityNumber(min(record.levelno // 10 * 4 + 1, SeverityNumber.FATAL4.value)),
                severity_text=record.levelname,
                body=record.getMessage(),
                attributes={"request_id": current_request_id.get(), **fields},
                exception=record.exc_info[1] if record.exc_info else None,
            )
        except Exception:  # noqa: BLE001 - a log line must not fail a request; logging's own handlers do the same
            self.handleError(record)


class RateLimitedWarnings(logging.Filter):
    """Pass one record a minute of each of OpenTelemetry's loggers, which report an unreachable collector every second."""

    def __init__(self) -> None:
        super().__init__()
        self._silent_until: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record of other loggers."""
        if not record.name.startswith("opentelemetry."):
            return True
        now = monotonic()
        if now < self._silent_until.get(record.name, 0.0):
            return False
        self._silent_until[record.name] = now + WARNING_INTERVAL
        return True
