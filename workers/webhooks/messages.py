"""The body of a webhook: an item of the feed and the position of the item before it."""

from __future__ import annotations

from datetime import datetime

from domain.feed.item import FeedItem, ItemData
from domain.history.codec import to_json
from projections.webhook_deliveries import TEST_POSITION

TEST_TYPE = "webhook.test"


class TestData(ItemData, frozen=True, kw_only=True):
    """A test says nothing."""


def test_item(now: datetime) -> FeedItem:
    """What a test sends: an item that is not in the feed."""
    return FeedItem(
        position=TEST_POSITION,
        type=TEST_TYPE,
        version=1,
        occurred_at=now,
        event_id=None,
        visitor_id=None,
        data=TestData(),
    )


def body_of(item: FeedItem, previous: int | None) -> bytes:
    return b'%b,"previous":%b}' % (to_json(item)[:-1], to_json(previous))
