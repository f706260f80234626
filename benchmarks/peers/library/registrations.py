"""Aggregates, and an application that loads, calls and saves: one save a request."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError


class Refused(Exception):
    """The reason why registration is not possible."""


class Fair(Aggregate):
    @event("Created")
    def __init__(self, name: str, starts: datetime, deadline: datetime, status: str) -> None:
        self.name = name
        self.starts = starts
        self.deadline = deadline
        self.status = status

    def check_open(self) -> None:
        if self.status != "open":
            raise Refused("the event is closed for registration")
        if self.deadline < datetime.now(UTC):
            raise Refused("the registration deadline has passed")


class Visitor(Aggregate):
    @staticmethod
    def create_id(fair_id: UUID, email: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/{fair_id}/{email}")

    @event("Registered")
    def __init__(self, fair_id: UUID, email: str, full_name: str, code: str) -> None:
        self.fair_id = fair_id
        self.email = email
        self.full_name = full_name
        self.code = code


class Registrations(Application[UUID]):
    def create_fair(self, name: str, starts: datetime, deadline: datetime, status: str) -> UUID:
        fair = Fair(name, starts, deadline, status)
        self.save(fair)
        return fair.id

    def register(self, fair_id: UUID, full_name: str, email: str) -> UUID:
        """Raises `Refused`, and `AggregateNotFoundError` when there is no such event."""
        fair: Fair = self.repository.get(fair_id)
        fair.check_open()
        code = f"{secrets.randbelow(10_000):04}"
        visitor = Visitor(fair_id=fair_id, email=email.lower(), full_name=full_name, code=code)
        try:
            self.save(visitor)
        except IntegrityError:
            raise Refused("this email is registered for the event already") from None
        return visitor.id


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The library's settings, for the database of the PG variables."""
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": environ["PGDATABASE"],
        "POSTGRES_HOST": environ["PGHOST"],
        "POSTGRES_PORT": environ["PGPORT"],
        "POSTGRES_USER": environ["PGUSER"],
        "POSTGRES_PASSWORD": "",
        "POSTGRES_POOL_SIZE": "10",
        "POSTGRES_MAX_OVERFLOW": "10",
    }


__all__ = ["AggregateNotFoundError", "Refused", "Registrations", "Visitor", "environment"]
