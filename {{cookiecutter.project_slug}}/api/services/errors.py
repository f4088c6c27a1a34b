"""What can go wrong: kinds of errors, which know no status code. Each entity's own errors stand beside its service."""

from typing import ClassVar


class ServiceError(Exception):
    """What was asked can't be done; `code` names the reason for programs, `title` and `detail` for people."""

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(ServiceError):
    """It isn't there, or not for the one who asks."""


class ConflictError(ServiceError):
    """It contradicts what is there."""


# option: auth
class InvalidError(ServiceError):
    """It is well-formed, and breaks a rule all the same."""


class UnauthenticatedError(ServiceError):
    """It is unknown who asks."""


class TooManyAttemptsError(ServiceError):
    """It was tried too often; `retry_after` tells in how many seconds it may be tried again."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


# end: auth
class UnavailableError(ServiceError):
    """It can't be done now, but perhaps soon."""


class DatabaseUnavailableError(UnavailableError):
    """The database can't be reached, or doesn't answer in time."""

    code = "database-unavailable"
    title = "The database is not available"


class SchemaBehindError(UnavailableError):
    """The database's schema is older than the code."""

    code = "schema-behind"
    title = "The database's schema is behind"


class StoppingError(UnavailableError):
    """The server is about to stop."""

    code = "stopping"
    title = "The server is stopping"
