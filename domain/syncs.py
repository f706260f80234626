"""Synchronisations with the events provider: the result of each run, one stream per run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, new_fields_have_their_defaults, stored_as
from domain.core.unit_of_work import Work
from domain.following import Field


class SkippedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An invalid item of the provider."""

    item: str
    """Its id, or its index in the response if it has none."""
    reason: str


class KeptItem(msgspec.Struct, frozen=True, kw_only=True):
    """An event with fields that keep the changes made here; without fields, one that was deleted
    here."""

    event_id: UUID
    fields: tuple[Field, ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of items. An item with both updated and kept fields counts as both."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    kept: int = 0


class RecordSync(msgspec.Struct, frozen=True, kw_only=True):
    """Records a run that fetched all its items."""

    started_at: datetime
    full: bool
    counts: Counts
    skipped_items: tuple[SkippedItem, ...] = ()
    kept_items: tuple[KeptItem, ...] = ()
    cursor: date | None = None
    """Start of the next incremental run: the latest change that the provider reported."""


class RecordFailedSync(msgspec.Struct, frozen=True, kw_only=True):
    """Records a run whose fetch failed; it stored no items."""

    started_at: datetime
    full: bool
    reason: str


class Sync(Aggregate, frozen=True, kw_only=True):
    """One run; its stream has one event, the result."""


@stored_as("Sync.Completed", phrase="synchronised with the provider", version=2)
class Completed(DomainEvent[Sync], frozen=True, kw_only=True):
    started_at: datetime
    full: bool
    counts: Counts
    skipped_items: tuple[SkippedItem, ...] = ()
    kept_items: tuple[KeptItem, ...] = ()
    cursor: date | None = None

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,)


@stored_as("Sync.Failed", phrase="failed to synchronise with the provider")
class Failed(DomainEvent[Sync], frozen=True, kw_only=True):
    started_at: datetime
    full: bool
    reason: str


def record_sync(command: RecordSync, work: Work) -> None:
    completed = Completed(**msgspec.structs.asdict(command))
    work.record(Sync(id=work.new_id()), completed)


def record_failed_sync(command: RecordFailedSync, work: Work) -> None:
    failed = Failed(**msgspec.structs.asdict(command))
    work.record(Sync(id=work.new_id()), failed)
