"""Traces, metrics and logs for an OpenTelemetry collector, configured by the `OTEL_*` variables; off without them."""

import asyncio
import logging
import os
import re
from collections.abc import MutableMapping
from socket import gethostname
from threading import Thread
from time import monotonic
from typing import Any, Self, TypeAlias

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
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import Connection, Engine, ExceptionContext, event
from starlette.types import Scope

from api import TITLE, VERSION
from api.dependencies.health import HEALTH_ROUTES
from api.dependencies.middleware.request_id import current_request_id

FLUSH_SECONDS = 3.0
"""How long the shutdown of the application waits for a collector."""

WARNING_INTERVAL = 60.0
"""Seconds between two lines of one logger about a collector that is unreachable."""

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/."""

OPERATION = re.compile(r"(?:\s|--[^\n]*|/\*.*?\*/)*(\w+)", re.DOTALL)
"""The first word of a statement, after its comments."""

RULES = {
    "OTEL_(TRACES|METRICS|LOGS)_EXPORTER": ("otlp|none", "otlp or none"),
    r"OTEL_EXPORTER_OTLP_(\w+_)?PROTOCOL": ("http/protobuf", "http/protobuf"),
    r"OTEL_EXPORTER_OTLP_(\w+_)?HEADERS": (
        r"[^=,]+=[^,]*(,[^=,]+=[^,]*)*",
        "a list of name=value, separated by commas,",
    ),
}
"""Variables by a pattern of their names, the pattern of their values, and its wording."""

logger = logging.getLogger(__name__)

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
        exporters = getattr(self, f"otel_{signal}_exporter").replace(" ", "").split(",")
        return bool(endpoint) and "otlp" in exporters and self.otel_sdk_disabled.strip().lower() != "true"


class Telemetry:
    """The providers and exporters of one application.

    The providers are not the global ones, which can't be replaced for a second application. Nothing is exported before
    `start`: the threads of exporters would not survive the fork of a server's workers.
    """

    def __init__(self, environment: str) -> None:
        variables = Variables()
        is_needed = any(map(variables.is_enabled, ("traces", "metrics", "logs")))
        resource = create_resource(environment) if is_needed else None
        self._tracing = self._metering = self._logging = self._duration = None
        self._log_handler: LogSender | None = None
        self._senders: list[Sender] = []
        if variables.is_enabled("traces"):
            self._tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._sampler, self._tracing.sampler = self._tracing.sampler, SampledRequests(self._tracing.sampler)
        if variables.is_enabled("metrics"):
            self._metering = MeterProvider(resource=resource, shutdown_on_exit=False)
            self._duration = self._metering.get_meter(__name__).create_histogram(
                "http.server.request.duration", unit="s", explicit_bucket_boundaries_advisory=DURATION_BUCKETS
            )
        if variables.is_enabled("logs"):
            self._logging = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.config = TelemetryConfig(
            tracer_provider=self._tracing,
            metrics=False,  # AccessLogMiddleware calls record_duration
            logs=False,  # LogSender exports the log lines
            operation_spans=False,  # a span for each dependency costs as much as all others together
            exclude=self._is_excluded,
        )
        for name in sorted(os.environ if variables.otel_sdk_disabled.strip().lower() != "true" else ()):
            for pattern, (rule, wording) in RULES.items():
                if (
                    re.fullmatch(pattern, name)
                    and os.environ[name]
                    and not re.fullmatch(rule, os.environ[name].strip())
                ):
                    logger.warning("%s: only %s is supported", name, wording)

    def _is_excluded(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a request gets no span; a new trace is sampled here, before its attributes are computed."""
        if scope["path"] in HEALTH_ROUTES or not self._tracing:
            return True
        if any(name == b"traceparent" for name, _ in scope["headers"]):
            return False
        trace_id = self._tracing.id_generator.generate_trace_id()
        return (
            self._sampler.should_sample(Context(), trace_id, scope["type"]).decision is not Decision.RECORD_AND_SAMPLE
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
            self._log_handler = LogSender(self._logging, sampled_only=self._tracing is not None)
            logging.root.addHandler(self._log_handler)
        if self._senders:
            for handler in logging.root.handlers:
                handler.addFilter(RateLimitedWarnings())

    def record_duration(self, scope: Scope, status: int, seconds: float) -> None:
        """Record the duration of a request by method, route and status, except of health checks.

        FastAPI's metrics cost three times as much: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/.
        """
        if self._duration and scope["path"] not in HEALTH_ROUTES:
            attributes = {"http.request.method": scope["method"], "url.scheme": scope["scheme"]}
            attributes["http.response.status_code"] = status
            if "route" in scope:
                attributes["http.route"] = scope["route"].path
            self._duration.record(seconds, attributes)

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


def create_resource(environment: str) -> Resource:
    """Create the resource of this service; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override it.

    The name of the host is that of the pod or container.
    """
    attributes = {"deployment.environment.name": environment, "host.name": gethostname()}
    default = Resource.create({"service.name": TITLE, "service.version": VERSION, **attributes})
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
            begins = OPERATION.match(statement)
            operation = begins[1].upper() if begins else engine.dialect.name
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
            error = context.original_exception
            code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
            span.set_attribute("error.type", code or type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()


class SampledRequests(Sampler):
    """Sample what begins in this process, which `Telemetry` has sampled already; a client's trace is up to `sampler`."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(self, parent_context: Context | None, *arguments: Any, **options: Any) -> SamplingResult:  # noqa: ANN401 - the SDK's
        """Return the decision for a new span."""
        begins = not trace.get_current_span(parent_context).get_span_context().is_valid
        return (ALWAYS_ON if begins else self._sampler).should_sample(parent_context, *arguments, **options)

    def get_description(self) -> str:
        """Describe the sampler of the variables."""
        return self._sampler.get_description()


class RedactedQueries(SpanProcessor):
    """Redact query strings, which may hold secrets; the access log leaves them out too."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - passed by name
        """Redact the query string of a new span."""
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")


class LogSender(logging.Handler):
    """Export log records with the fields of their JSON lines, except those of health checks.

    With `sampled_only`, the lines of requests without a span are left out too.
    """

    def __init__(self, provider: LoggerProvider, *, sampled_only: bool = False) -> None:
        super().__init__()
        self._provider = provider
        self._sampled_only = sampled_only

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, which another thread exports."""
        fields = getattr(record, "fields", {})
        if fields.get("path") in HEALTH_ROUTES:
            return
        if (
            self._sampled_only
            and "path" in fields
            and not trace.get_current_span().get_span_context().trace_flags.sampled
        ):
            return
        try:
            self._provider.get_logger(record.name).emit(
                timestamp=int(record.created * 1e9),
                severity_number=SeverityNumber(min(record.levelno // 10 * 4 + 1, SeverityNumber.FATAL4.value)),
                severity_text=record.levelname,
                body=record.getMessage(),
                attributes=to_jsonable_python({"request_id": current_request_id.get(), **fields}, fallback=str),
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
