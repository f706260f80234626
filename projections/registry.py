"""All projections."""

from __future__ import annotations

from domain import application  # noqa: F401  registers every event class
from projections.accounts import ACCOUNTS
from projections.areas import AREAS
from projections.delivery_counts import DELIVERIES
from projections.events import EVENTS
from projections.feed_blocks import FEED_BLOCKS
from projections.outbox import OUTBOX
from projections.projector.projection import Projection
from projections.registration_counts import REGISTRATIONS
from projections.retention import RETENTION
from projections.sync_results import SYNC_RESULTS
from projections.visitors import VISITORS

ALL: tuple[Projection, ...] = (
    AREAS,
    EVENTS,
    VISITORS,
    REGISTRATIONS,
    OUTBOX,
    DELIVERIES,
    FEED_BLOCKS,
    SYNC_RESULTS,
    RETENTION,
    ACCOUNTS,
)
