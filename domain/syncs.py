"""Synchronisations with the events provider: what each run brought, one stream per run."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from domain.aggregate import Aggregate, DomainEvent, stored_as


class SkippedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the provider that could not be used."""

    item: str
    """Its id, or its place in the answer when it has none."""
    reason: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


class RecordSync(msgspec.Struct, frozen=True, kw_only=True):
    """A run that fetched everything it asked for."""

    started_at: datetime
    full: bool
    counts: Counts
    skipped_items: tuple[SkippedItem, ...] = ()
    cursor: date | None = None
    """Where the next incremental run begins: the provider's last change that was seen."""


class RecordFailedSync(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose fetch failed; it stored nothing."""

    started_at: datetime
    full: bool
    reason: str


class Sync(Aggregate, frozen=True, kw_only=True):
    """One run; it has happened once its stream has an event."""


@stored_as("Sync.Completed")
class Completed(DomainEvent[Sync], frozen=True, kw_only=True):
    started_at: datetime
    full: bool
    counts: Counts
    skipped_items: tuple[SkippedItem, ...] = ()
    cursor: date | None = None


@stored_as("Sync.Failed")
class Failed(DomainEvent[Sync], frozen=True, kw_only=True):
    started_at: datetime
    full: bool
    reason: str
