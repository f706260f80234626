"""Problems for errors of libraries, and for errors whose text is for operators.

Our own errors are `ProblemError`s where they are raised. Other errors are looked up in `SHOWN_AS`
by their class and base classes; an error that is not there is a bug, shown as `InternalError`.
"""

from __future__ import annotations

from litestar.exceptions import (
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from psycopg_pool import PoolTimeout

from domain.core.availability import TABLES_MISSING, UNAVAILABLE
from domain.core.errors import InvalidFields, ProblemError, TryAgain
from domain.history.codec import UnknownEvent


class BadRequest(ProblemError):
    """The request is not valid HTTP"""

    status = 400
    slug = "bad-request"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail or super().__str__()


class NothingHere(ProblemError):
    """There is nothing at this address"""

    status = 404
    slug = "not-found"


class MethodNotAllowed(ProblemError):
    """See the Allow header for what is allowed"""

    status = 405


class PayloadTooLarge(ProblemError):
    """The body is too large"""

    status = 413


class InvalidParameters(InvalidFields):
    """Some parameters are not valid"""


class InternalError(ProblemError):
    """Something went wrong here; the request id helps to find out what"""

    status = 500


class AllConnectionsBusy(TryAgain):
    """All connections are busy; try again shortly"""


class DatabaseUnavailable(TryAgain):
    """The database is unavailable; try again shortly"""


class TableMissing(TryAgain):
    """A table is missing: see /health/ready"""


class NewerRelease(TryAgain):
    """A newer release has been at work on this; try again shortly"""


SHOWN_AS: dict[type[Exception], type[ProblemError]] = {
    **dict.fromkeys(UNAVAILABLE, DatabaseUnavailable),
    **dict.fromkeys(TABLES_MISSING, TableMissing),
    PoolTimeout: AllConnectionsBusy,
    UnknownEvent: NewerRelease,
    NotFoundException: NothingHere,
    MethodNotAllowedException: MethodNotAllowed,
    RequestEntityTooLarge: PayloadTooLarge,
}
