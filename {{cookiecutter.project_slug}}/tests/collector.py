"""A collector of OpenTelemetry that keeps what it receives."""

import gzip
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Message: TypeAlias = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest

MESSAGES: dict[str, type[Message]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Collector(ThreadingHTTPServer):
    """Receives OTLP over HTTP, and keeps the messages."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.received: list[Message] = []

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The attributes of the resource of each message."""
        return [
            read(sender.resource.attributes)
            for message in self.received
            for sender in getattr(message, message.DESCRIPTOR.fields[0].name)
        ]

    @property
    def spans(self) -> list[Span]:
        """All spans."""
        return [
            span
            for message in self.received
            if isinstance(message, ExportTraceServiceRequest)
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The last state of each metric, by its name."""
        return {
            metric.name: metric
            for message in self.received
            if isinstance(message, ExportMetricsServiceRequest)
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def logs(self) -> list[LogRecord]:
        """All log records."""
        return [
            record
            for message in self.received
            if isinstance(message, ExportLogsServiceRequest)
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class Receiver(BaseHTTPRequestHandler):
    """Handles one connection."""

    server: Collector

    def do_POST(self) -> None:
        """Read one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        assert self.headers["Content-Type"] == "application/x-protobuf"
        self.server.received.append(MESSAGES[self.path].FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def read(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes by name."""
    values = {each.key: each.value for each in attributes}
    return {
        name: value.int_value if value.HasField("int_value") else value.string_value for name, value in values.items()
    }
