"""What the `audit` commands share: the values of options, and disclosures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from domain.application import APPLICATION
from domain.audit.disclosures import RecordDisclosure
from domain.audit.log import Criteria
from domain.audit.point_in_time import parse_time
from domain.core.values import Invalid
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys
from runtime.errors import WrongUsage

T = TypeVar("T")


def criteria_from(
    *,
    aggregate_id: UUID | None,
    type: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
) -> Criteria:
    """Raises `WrongUsage`."""
    return Criteria(
        aggregate_id=aggregate_id,
        type=type,
        actor=actor,
        since=None if since is None else parsed("--from", parse_time, since),
        until=None if until is None else parsed("--until", parse_time, until),
    )


def parsed(flag: str, parse: Callable[[str], T], text: str) -> T:
    """Raises `WrongUsage`."""
    try:
        return parse(text)
    except Invalid as error:
        raise WrongUsage(f"{flag} {error}") from None


async def record(
    connection: AsyncConnection[Any], keys: InstallationKeys, disclosure: RecordDisclosure | None
) -> None:
    """Append that an operator is about to read personal data; raises when it cannot be."""
    if disclosure is None:
        return
    origin = Origin(actor="system:cli", correlation_id=str(uuid4()))
    await Decider(keys, APPLICATION).execute_one(connection, disclosure, origin)
