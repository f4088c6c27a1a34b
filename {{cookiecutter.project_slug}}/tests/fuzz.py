"""Requests that Schemathesis generates from the OpenAPI schema, valid and invalid, one by one and in sequences.

They take as long as all other tests, so `make test` leaves them out, and `make fuzz` runs them.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import settings
from hypothesis.strategies import from_regex, sampled_from  # option: auth
from schemathesis import Case
from schemathesis.errors import NoLinksFound
from starlette.types import ASGIApp, Receive, Scope, Send

from api.main import app

pytest_plugins = ["schemathesis.pytest.plugin"]


class Forwarder:
    """Forwards to the application of the tests, which does not exist yet when requests are generated."""

    app: ASGIApp
    authorization: str  # option: auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, with the access token in place of `PLACEHOLDER`."""
        # option: auth
        if scope["type"] == "http":
            known = {PLACEHOLDER.encode(): self.authorization.encode()}
            scope["headers"] = [(name, known.get(value, value)) for name, value in scope["headers"]]
        # end: auth
        await self.app(scope, receive, send)


bounded = settings(max_examples=20, stateful_step_count=10, deadline=None)
forwarder = Forwarder()
api = schemathesis.openapi.from_dict(app.openapi())
api.app = forwarder


# option: auth
PLACEHOLDER = "Bearer placeholder"

# Some addresses of the format are refused, such as those in .test (RFC 6761). Schemathesis always tries the longest one
# that the schema allows, for which it would search for seconds.
LONG = [f"{'a' * 64}@{'b' * 61}.{'c' * 61}.{'d' * length}.com" for length in (60, 61, 62)]
schemathesis.openapi.format("email", from_regex(r"[a-z]{1,9}@example\.com", fullmatch=True) | sampled_from(LONG))

# Others are refused as easy to guess.
schemathesis.openapi.format("password", sampled_from(["seven green owls knit", "nine red cats dance"]))


@api.auth()
class Login:
    """A login for most requests; Schemathesis sends some without."""

    def get(self, *_: object) -> str:
        """Return the header."""
        return PLACEHOLDER

    def set(self, case: Case[Any], authorization: str, *_: object) -> None:
        """Set the header."""
        case.headers["Authorization"] = authorization


# end: auth
@pytest.fixture(autouse=True)
def forward_to_application(client: TestClient) -> None:
    forwarder.app = client.app
    forwarder.authorization = client.headers["Authorization"]  # option: auth


@api.parametrize()
@bounded
def test_every_response_is_documented(case: Case[Any]) -> None:
    case.call_and_validate()


def test_every_response_in_a_sequence_is_documented(
    delete_rows: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(NoLinksFound):  # without a resource there are no sequences
        sequences = api.as_state_machine()
        monkeypatch.setattr(sequences, "setup", lambda _: delete_rows())
        sequences.run(settings=bounded)
