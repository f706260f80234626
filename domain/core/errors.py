"""Why a command can be refused.

    DomainError
    ├── NotFound
    ├── InvalidFields            values that only the domain can judge
    ├── Refused                  a rule says no; `slug` names the rule
    │   ├── UsernameTaken, LastAdmin                        (accounts.py)
    │   ├── AreaNameTaken, AreaInUse                        (areas.py)
    │   └── EventClosed, DeadlinePassed, DuplicateRegistration   (visitors.py)
    └── ChangedMeanwhile         the aggregate is not at the version the caller had seen

The first line of a class's docstring is the message a caller reads.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID


class DomainError(Exception):
    """The command was refused"""

    slug: ClassVar[str]
    """Stable name of the reason, part of the API."""

    def __str__(self) -> str:
        return (self.__doc__ or "").partition("\n")[0]


class NotFound(DomainError):
    """There is no such thing"""

    slug = "not-found"

    def __init__(self, kind: str, id: UUID) -> None:
        super().__init__(kind, id)
        self.kind = kind
        self.id = id

    def __str__(self) -> str:
        return f"There is no {self.kind} with the id {self.id}"


class InvalidFields(DomainError):
    """Some fields are not valid"""

    slug = "validation"

    def __init__(self, /, **messages: str) -> None:
        super().__init__(messages)
        self.messages = messages
        """Field -> what is wrong with it; every wrong field is here."""


class Refused(DomainError):
    """A rule does not allow it"""


class ChangedMeanwhile(DomainError):
    """It was changed meanwhile: read it again, then decide whether your change still holds"""

    slug = "changed-meanwhile"

    def __init__(self, current_version: int) -> None:
        super().__init__(current_version)
        self.current_version = current_version
