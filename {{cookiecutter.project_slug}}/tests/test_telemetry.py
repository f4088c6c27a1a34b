"""Telemetry: what a collector receives, and that requests do not wait for it."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import TypeAlias
from uuid import UUID

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import create_engine, literal, select, text

from api import TITLE, VERSION
from api.dependencies import telemetry
from api.dependencies.database import SessionDep
from api.dependencies.logs import configure_logging
from api.dependencies.migrations import PYPROJECT
from api.dependencies.settings import Settings
from api.main import create_app
from api.services.errors import DatabaseUnavailableError
from tests.collector import MESSAGES, Collector, read

Serve: TypeAlias = Callable[..., AbstractContextManager[TestClient]]

router = APIRouter()


@router.get("/words/{number}")
async def read_word(number: int, word: str, session: SessionDep) -> str:
    return f"{number} {await session.scalar(select(literal(word)))}"


@router.post("/nowhere")
async def write_nowhere(word: str, session: SessionDep) -> None:
    await session.execute(text("INSERT INTO nowhere VALUES (:word)"), {"word": word})


@router.post("/twice")
async def write_twice(word: str, session: SessionDep) -> None:
    await session.execute(text("CREATE TEMPORARY TABLE words (word TEXT UNIQUE)"))
    await session.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
    await session.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})


@router.get("/broken")
async def fail() -> None:
    message = "it broke"
    raise RuntimeError(message)


@router.get("/unavailable")
async def be_unavailable() -> None:
    raise DatabaseUnavailableError


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.MonkeyPatch]:
    """An environment with telemetry, and a client that logs nothing; other tests log as before."""
    caplog.set_level(logging.WARNING, "httpx2")
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    yield monkeypatch
    configure_logging("INFO", as_json=False)


@pytest.fixture
def serve(migrated: Settings) -> Serve:
    """Start an application for the time of a `with` block, after which everything is sent."""

    @contextmanager
    def serve(**changes: object) -> Iterator[TestClient]:
        app = create_app(migrated.model_copy(update=changes))
        app.include_router(router)
        with TestClient(app) as client:
            yield client

    return serve


@pytest.fixture
def send_to(variables: pytest.MonkeyPatch, collector: Collector) -> Collector:
    """The collector whose endpoint is set."""
    variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return collector


def test_a_request_is_a_span_with_its_statements_below_it(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        assert client.get("/words/7?word=hello").json() == "7 hello"
    statement, request = send_to.spans
    assert (request.name, request.kind) == ("GET /words/{number}", Span.SPAN_KIND_SERVER)
    attributes = read(request.attributes)
    assert (attributes["http.route"], attributes["http.response.status_code"]) == ("/words/{number}", 200)
    assert (statement.name, statement.kind) == ("SELECT", Span.SPAN_KIND_CLIENT)
    assert statement.trace_id == request.trace_id
    assert statement.parent_span_id == request.span_id
    assert read(statement.attributes)["db.query.text"].startswith("SELECT ")


def test_nothing_has_values_of_a_request_or_statement(
    serve: Serve, send_to: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(environment="production") as client:
        assert client.get("/words/7?word=hunter2").status_code == 200
        assert client.post("/nowhere?word=hunter2").is_server_error
        assert client.post("/twice?word=hunter2").is_server_error
    assert [span.name for span in send_to.spans if span.kind == Span.SPAN_KIND_SERVER] == [
        "GET /words/{number}",
        "POST /nowhere",
        "POST /twice",
    ]
    printed = capsys.readouterr().err
    assert "IntegrityError" in printed
    assert "IntegrityError" in str(send_to.received)
    assert "hunter2" not in printed + str(send_to.received)


def test_a_statement_that_fails_is_marked(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        client.post("/nowhere?word=hello")
    insert = next(span for span in send_to.spans if span.name == "INSERT")
    assert insert.status.code == Status.STATUS_CODE_ERROR
    assert insert.status.message == ""
    assert read(insert.attributes)["error.type"] in {"SQLITE_ERROR", "42P01"}


def test_errors_can_be_told_apart(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        client.get("/broken")
        client.get("/unavailable")
    broken, unavailable = (read(span.attributes) for span in send_to.spans)
    assert broken["exception.type"] == "RuntimeError"
    assert unavailable["problem.type"] == "urn:problem:database-unavailable"


@pytest.mark.parametrize(
    ("statement", "name"), [("-- first\n/* and */ select 1", "SELECT"), ("values (1)", "VALUES"), (" ", "sqlite")]
)
def test_a_statement_is_named_by_its_operation(statement: str, name: str) -> None:
    provider = TracerProvider()
    spans = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    engine = create_engine("sqlite://")
    telemetry.trace_statements(engine, provider)
    with provider.get_tracer("test").start_as_current_span("request"), engine.connect() as connection:
        connection.execute(text(statement))
    assert [span.name for span in spans.get_finished_spans()] == [name, "request"]


@pytest.mark.parametrize(
    "setting",
    [
        ("OTEL_TRACES_EXPORTER", "otlp,console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization hunter2"),
    ],
)
def test_a_variable_that_is_not_supported_is_named_once(
    serve: Serve,
    send_to: Collector,
    variables: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: tuple[str, str],
) -> None:
    variables.setenv(*setting)
    with serve() as client:
        client.get("/")
    printed = capsys.readouterr().err
    assert printed.count(f"{setting[0]}: only ") == 1
    assert "hunter2" not in printed
    assert send_to.spans != []


def test_an_unknown_propagator_is_reported_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import api.main"],
        cwd=PYPROJECT.parent,
        env={**os.environ, "OTEL_PROPAGATORS": "tracecontext,b3"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("OTEL_PROPAGATORS: Propagator b3 not found.")


def test_fields_are_sent_as_they_are_in_json_lines(serve: Serve, send_to: Collector) -> None:
    fields = {"id": UUID(int=1), "price": Decimal("1.50"), "at": datetime(2026, 1, 31, tzinfo=UTC)}
    with serve():
        logging.getLogger("test").warning("sold", extra={"fields": fields})
    (record,) = send_to.logs
    expected = {"id": str(UUID(int=1)), "price": "1.50", "at": "2026-01-31T00:00:00Z"}
    assert expected.items() <= read(record.attributes).items()


def test_the_trace_of_the_client_is_continued(serve: Serve, send_to: Collector) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with serve() as client:
        client.get("/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    (request,) = send_to.spans
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (trace, "b7ad6b7169203331")


def test_requests_are_measured_by_route_and_status(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        for path in ("/words/1?word=a", "/words/2?word=b", "/words/three?word=c"):
            client.get(path)
    duration = send_to.metrics["http.server.request.duration"]
    counts = {
        (read(point.attributes)["http.route"], read(point.attributes)["http.response.status_code"]): point.count
        for point in duration.histogram.data_points
    }
    assert counts == {("/words/{number}", 200): 2, ("/words/{number}", 422): 1}


def test_a_log_line_has_its_trace_in_both_places(
    serve: Serve, send_to: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(environment="production") as client:
        response = client.get("/")
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    (record,) = send_to.logs
    (request,) = send_to.spans
    assert (line["trace_id"], line["span_id"]) == (request.trace_id.hex(), request.span_id.hex())
    assert (record.trace_id, record.span_id) == (request.trace_id, request.span_id)
    assert (record.body.string_value, record.severity_text) == (line["message"], "INFO")
    attributes = read(record.attributes)
    assert attributes["request_id"] == line["request_id"] == response.headers["X-Request-ID"]
    assert (attributes["method"], attributes["path"], attributes["status"]) == ("GET", "/", 200)


def test_a_failure_is_sent_with_its_traceback(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        assert client.get("/broken").status_code == 500
    (request,) = send_to.spans
    (failure,) = [record for record in send_to.logs if record.severity_number == SeverityNumber.SEVERITY_NUMBER_ERROR]
    assert failure.trace_id == request.trace_id
    assert request.status.code == Status.STATUS_CODE_ERROR
    assert "RuntimeError: it broke" in read(failure.attributes)["exception.stacktrace"]


def test_a_log_record_that_cannot_be_formatted_fails_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.makeLogRecord({"name": "test", "msg": "%d", "args": ("no number",)})
    telemetry.LogSender(LoggerProvider()).handle(record)
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables_set", "name"),
    [({}, TITLE), ({"OTEL_SERVICE_NAME": "shop"}, "shop"), ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop"}, "shop")],
)
def test_the_resource_has_name_and_version(
    serve: Serve, send_to: Collector, variables: pytest.MonkeyPatch, variables_set: dict[str, str], name: str
) -> None:
    for variable, value in variables_set.items():
        variables.setenv(variable, value)
    with serve() as client:
        client.get("/")
    for resource in send_to.resources:
        assert (resource["service.name"], resource["service.version"]) == (name, VERSION)
        assert (resource["deployment.environment.name"], resource["host.name"]) == ("development", socket.gethostname())
    assert len(send_to.resources) == len(MESSAGES)


def test_health_checks_are_not_sent(serve: Serve, send_to: Collector) -> None:
    with serve() as client:
        assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
    assert send_to.received == []


@pytest.mark.parametrize(
    "variables_set",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_nothing_runs_without_an_endpoint(
    serve: Serve, variables: pytest.MonkeyPatch, variables_set: dict[str, str]
) -> None:
    for variable, value in variables_set.items():
        variables.setenv(variable, value)
    with serve() as client:
        assert client.get("/words/7?word=hello").status_code == 200
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("Otel")] == []
        assert not client.app_state["database"].engine.sync_engine.dispatch.after_cursor_execute
        assert not any(isinstance(handler, telemetry.LogSender) for handler in logging.root.handlers)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_each_signal_has_an_endpoint_of_its_own(
    serve: Serve, collector: Collector, variables: pytest.MonkeyPatch, signal: str
) -> None:
    variables.setenv(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", f"{collector.url}/v1/{signal}")
    with serve() as client:
        client.get("/")
    assert {type(message) for message in collector.received} == {MESSAGES[f"/v1/{signal}"]}


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_each_signal_can_be_declined(
    serve: Serve, send_to: Collector, variables: pytest.MonkeyPatch, signal: str
) -> None:
    variables.setenv(f"OTEL_{signal.upper()}_EXPORTER", "none")
    with serve() as client:
        client.get("/")
    expected = {kind for path, kind in MESSAGES.items() if not path.endswith(signal)}
    assert {type(message) for message in send_to.received} == expected


def test_a_request_that_is_not_sampled_is_not_sent(
    serve: Serve, send_to: Collector, variables: pytest.MonkeyPatch
) -> None:
    variables.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with serve() as client:
        client.get("/words/7?word=hello")
        client.post("/nowhere?word=hello")
    assert send_to.spans == []
    assert {read(record.attributes).get("path") for record in send_to.logs} == {None}
    assert send_to.logs != []
    assert send_to.metrics != {}


def test_messages_can_be_compressed(serve: Serve, send_to: Collector, variables: pytest.MonkeyPatch) -> None:
    variables.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with serve() as client:
        client.get("/")
    assert len(send_to.received) == len(MESSAGES)


@pytest.fixture(params=["closed", "silent"])
def absent(request: pytest.FixtureRequest, variables: pytest.MonkeyPatch) -> Iterator[None]:
    """A collector that refuses connections, and one that accepts them and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        variables.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        variables.setenv("OTEL_BLRP_SCHEDULE_DELAY", "10")
        variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
        variables.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
        if request.param == "closed":
            server.close()
        yield


@pytest.mark.usefixtures("absent")
def test_requests_do_not_wait_for_a_collector_that_is_away(
    serve: Serve, variables: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables.setattr(telemetry, "FLUSH_SECONDS", 0.2)
    with serve() as client:
        waits = []
        for _ in range(10):
            started = time.monotonic()
            assert client.get("/words/7?word=hello").status_code == 200
            waits.append(time.monotonic() - started)
            time.sleep(0.01)
        assert median(waits) < 0.3  # OTEL_EXPORTER_OTLP_TIMEOUT
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 10
    complaints = [line for line in capsys.readouterr().err.splitlines() if " opentelemetry." in line]
    assert 1 <= len(complaints) <= 4
