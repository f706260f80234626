"""Notifications: the domain events of a delivery."""

from uuid import UUID

from domain.notifications import Failed, QueueAgain, RecordDelivery, Requeued, Sent
from tests.domain.scenario import Scenario

ID = UUID(int=3000)


def test_the_first_confirmation_counts_and_the_second_is_nothing_new() -> None:
    scenario = Scenario()
    assert scenario.when(RecordDelivery(notification_id=ID)) == [Sent()]
    assert scenario.when(RecordDelivery(notification_id=ID)) == []
    assert scenario.when(RecordDelivery(notification_id=ID, failure="late")) == []


def test_a_failed_one_can_be_queued_again_and_then_be_sent() -> None:
    scenario = Scenario()
    assert scenario.when(RecordDelivery(notification_id=ID, failure="404")) == [
        Failed(reason="404")
    ]
    assert scenario.when(QueueAgain(notification_id=ID)) == [Requeued()]
    assert scenario.when(RecordDelivery(notification_id=ID)) == [Sent()]


def test_only_a_failed_one_can_be_queued_again() -> None:
    assert Scenario().given(ID, Sent()).when(QueueAgain(notification_id=ID)) == []
    assert Scenario().when(QueueAgain(notification_id=ID)) == []
