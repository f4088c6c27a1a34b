"""What nobody thought of: requests made up from the OpenAPI page, good and bad, each alone and many in a row.

It takes as long as all the others, so it is not among them: `make fuzz` runs it.
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


class Served:
    """The application of the tests, which is not there yet when requests are made up; neither is a token of Ada's."""

    app: ASGIApp
    authorization: str  # option: auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        # option: auth
        if scope["type"] == "http":
            known = {ADA.encode(): self.authorization.encode()}
            scope["headers"] = [(name, known.get(value, value)) for name, value in scope["headers"]]
        # end: auth
        await self.app(scope, receive, send)


bounded = settings(max_examples=20, stateful_step_count=10, deadline=None)
served = Served()
api = schemathesis.openapi.from_dict(app.openapi())
api.app = served


# option: auth
ADA = "Bearer of Ada's token"

# Some names are no addresses, such as those below .test (RFC 6761), and the page can't say so. The longest that it
# allows is always tried, and looked for in vain for seconds where none is as long.
LONG = [f"{'a' * 64}@{'b' * 61}.{'c' * 61}.{'d' * length}.com" for length in (60, 61, 62)]
schemathesis.openapi.format("email", from_regex(r"[a-z]{1,9}@example\.com", fullmatch=True) | sampled_from(LONG))


@api.auth()
class Login:
    """Ada's, for most requests; some are sent without, on purpose."""

    def get(self, *_: object) -> str:
        """Log in."""
        return ADA

    def set(self, case: Case[Any], authorization: str, *_: object) -> None:
        """Tell who asks."""
        case.headers["Authorization"] = authorization


# end: auth
@pytest.fixture(autouse=True)
def serve_our_own(client: TestClient) -> None:
    served.app = client.app
    served.authorization = client.headers["Authorization"]  # option: auth


@api.parametrize()
@bounded
def test_every_answer_is_one_that_the_page_tells(case: Case[Any]) -> None:
    case.call_and_validate()


def test_every_answer_in_a_row_is_one_that_the_page_tells(
    renew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(NoLinksFound):  # nothing leads to anything before there is a resource
        rows = api.as_state_machine()
        monkeypatch.setattr(rows, "setup", lambda _: renew())
        rows.run(settings=bounded)
