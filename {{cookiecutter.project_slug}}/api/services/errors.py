"""The errors of services, one class for each kind; each entity's own errors are defined beside its service."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from sqlalchemy.exc import IntegrityError

from api.models.base import violated_constraint


class ServiceError(Exception):
    """A request that can't be fulfilled; `code` is for programs, `title` and `detail`, by default the title, for people.

    `retry_after` is the number of seconds after which the client may repeat the request.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: int | None = None

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or f"{self.title}."
        super().__init__(self.detail)


class NotFoundError(ServiceError):
    """The entity does not exist, or the user may not see it."""


class ConflictError(ServiceError):
    """The request contradicts the current state."""


# option: auth
class InvalidError(ServiceError):
    """The request is well-formed but violates a rule."""


class UnauthenticatedError(ServiceError):
    """The client has not proved who it is."""


class ForbiddenError(ServiceError):
    """The client may not do this."""


class TooManyAttemptsError(ServiceError):
    """The client has tried too often, and has to wait for `retry_after` seconds."""

    code, title = "too-many-attempts", "Too many attempts"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} seconds.")
        self.retry_after = retry_after


# end: auth
class UnavailableError(ServiceError):
    """The request can't be fulfilled now, but may be later."""

    retry_after = 1


class DatabaseUnavailableError(UnavailableError):
    """The database can't be reached, or does not respond in time."""

    code, title = "database-unavailable", "The database is not available"


class SchemaBehindError(UnavailableError):
    """The database's schema is older than the code."""

    code, title = "schema-behind", "The database's schema is behind"


class StoppingError(UnavailableError):
    """The server is about to stop."""

    code, title = "stopping", "The server is stopping"


@contextmanager
def translate_violations(errors: Mapping[str, ServiceError]) -> Iterator[None]:
    """Raise the error that `errors` has for the name of a violated constraint; any other `IntegrityError` is raised on.

    SQLite does not name a foreign key: it is taken for the one in `errors`, whose name begins with `fk_`.
    """
    try:
        yield
    except IntegrityError as error:
        name = violated_constraint(error)
        if name == "FOREIGN KEY":
            name = next((key for key in errors if key.startswith("fk_")), name)
        if name not in errors:
            raise
        raise errors[name] from error
