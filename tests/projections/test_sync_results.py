from datetime import UTC, date, datetime

import pytest

from domain.syncs import Counts, RecordFailedSync, RecordSync, SkippedItem
from projections.sync_results import last_cursor, latest
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio

STARTED = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def test_results_are_read_newest_first_and_the_cursor_is_of_the_last_success(
    installation: Installation,
) -> None:
    assert await last_cursor(installation.connection) is None
    skipped = SkippedItem(item="7", reason="has no name")
    counts = Counts(new=3, updated=2, unchanged=1, skipped=1)
    await installation.give(
        RecordSync(
            started_at=STARTED,
            full=True,
            counts=counts,
            skipped_items=(skipped,),
            cursor=date(2030, 1, 1),
        ),
        RecordFailedSync(started_at=STARTED, full=False, reason="the provider answered 503"),
    )
    await installation.project()
    failed, completed = await latest(installation.connection)
    assert (failed.succeeded, failed.full_sync, failed.reason) == (
        False,
        False,
        "the provider answered 503",
    )
    assert (completed.succeeded, completed.full_sync, completed.reason) == (True, True, None)
    assert (completed.new, completed.updated, completed.unchanged, completed.skipped) == (
        3,
        2,
        1,
        1,
    )
    assert completed.skipped_items == (skipped,)
    assert completed.started_at == STARTED
    assert await last_cursor(installation.connection) == date(2030, 1, 1)
