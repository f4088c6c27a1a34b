"""The errors of services, one class for each kind; each entity's own errors are defined beside its service."""

from typing import ClassVar


class ServiceError(Exception):
    """A request that can't be fulfilled; `code` is for programs, `title` and `detail` are for people.

    `retry_after` is the number of seconds after which the client may repeat the request.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: int | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(ServiceError):
    """The entity does not exist, or the user may not see it."""


class ConflictError(ServiceError):
    """The request contradicts the current state."""


# option: auth
class InvalidError(ServiceError):
    """The request is well-formed but violates a rule."""


class UnauthenticatedError(ServiceError):
    """The client has not proved who it is."""


class TooManyAttemptsError(ServiceError):
    """The client has tried too often."""


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
