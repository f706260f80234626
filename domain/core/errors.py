"""Errors whose class says what the caller gets: an RFC 9457 problem.

    ProblemError
    ├── DomainError                  the command was refused
    │   ├── NotFound
    │   ├── InvalidFields            values that only the domain can judge
    │   ├── Refused                  a rule says no
    │   │   ├── UsernameTaken, LastAdmin                        (accounts.py)
    │   │   ├── AreaNameTaken, AreaInUse                        (areas.py)
    │   │   └── EventFull, EventClosed, NotWaiting, ...         (visitors.py)
    │   └── ChangedMeanwhile         the aggregate is not at the version the caller had seen
    ├── TryAgain                     it was not the caller's fault, and will be over soon
    │   └── Overloaded, HistoryUnavailable, OutcomeUnknown      (history/)
    └── those of HTTP                (api/)

A new error needs a name and a docstring, whose first line is the message that the caller reads. The
rest follows, unless the class says otherwise: `AreaNameTaken` is a 409 of the type
`/problems/area-name-taken` with the title "Area name taken".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID


class _Derived:
    """A class attribute that is worked out for each class, until one sets it: its subclasses
    inherit what it has set."""

    def __init__(self, derive: Callable[[type[ProblemError]], str]) -> None:
        self._derive = derive

    def __get__(self, _: object, owner: type[ProblemError]) -> str:
        return self._derive(owner)


def _words_of_name(kind: type[ProblemError]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def _words_of_slug(kind: type[ProblemError]) -> str:
    return kind.slug.replace("-", " ").capitalize()


class ProblemError(Exception):
    """Something went wrong"""

    status: ClassVar[int] = 409
    """Of the answer, in HTTP."""
    slug: ClassVar[str] = _Derived(_words_of_name)  # type: ignore[assignment]
    """Stable name of the reason, part of the API."""
    title: ClassVar[str] = _Derived(_words_of_slug)  # type: ignore[assignment]
    headers: Mapping[str, str] = {}
    """Of the answer, besides those that every answer has."""
    members: Mapping[str, Any] = {}
    """Additional members of the problem in the answer."""
    messages: Mapping[str, str] = {}
    """Field -> what is wrong with it; every wrong field is here."""

    def __str__(self) -> str:
        return (self.__doc__ or "").partition("\n")[0]


class DomainError(ProblemError):
    """The command was refused"""


class NotFound(DomainError):
    """There is no such thing"""

    status = 404

    def __init__(self, kind: str, id: UUID) -> None:
        super().__init__(kind, id)
        self.kind = kind
        self.id = id

    def __str__(self) -> str:
        return f"There is no {self.kind} with the id {self.id}"


class InvalidFields(DomainError):
    """Some fields are not valid"""

    status = 422
    slug = "validation"
    title = "Validation failed"
    messages: dict[str, str]

    def __init__(self, /, **messages: str) -> None:
        super().__init__(messages)
        self.messages = messages


class Refused(DomainError):
    """A rule does not allow it"""


class ChangedMeanwhile(DomainError):
    """It was changed meanwhile: read it again, then decide whether your change still holds"""

    status = 412

    def __init__(self, current_version: int) -> None:
        super().__init__(current_version)
        self.current_version = current_version


class TryAgain(ProblemError):
    """Try again shortly"""

    status = 503
    slug = "overloaded"
    headers: Mapping[str, str] = {"Retry-After": "1"}
