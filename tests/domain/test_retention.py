"""How long visitors are kept: the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import events
from domain.core.aggregate import DomainEvent
from domain.core.values import Days, Email, Invalid
from domain.event_editing import ChangeEvent
from domain.events import RetentionChanged
from domain.notifications import ERASED, Failed
from domain.retention import (
    NOTICE,
    POLICY_ID,
    ForgetVisitors,
    RecordRetention,
    RetentionSettingChanged,
    VisitorsForgotten,
)
from domain.visitors import Erased, Registered
from tests.domain.scenario import CODE, NOW, Scenario, identity

FAIR, OTHER_FAIR = UUID(int=500), UUID(int=501)


def a_fair_that_ended(days_ago: int, *emails: str) -> Scenario:
    at = NOW - timedelta(days=days_ago)
    scenario = Scenario()
    for event in (FAIR, OTHER_FAIR):
        scenario.given(
            event,
            events.Created(name="Fair", event_datetime=at, registration_deadline=at, status="open"),
        )
    for email in emails:
        registered = Registered(event_id=FAIR, code=CODE, notification_id=scenario.new_id())
        scenario.given(ada(email), registered)
    return scenario


def ada(email: str = "ada@example.com") -> UUID:
    return identity.visitor(FAIR, Email(email))


def forgotten(
    scenario: Scenario, days: int | None, *emails: str, event: UUID = FAIR
) -> Sequence[DomainEvent[Any]]:
    return scenario.when(
        ForgetVisitors(event_id=event, visitor_ids=[ada(email) for email in emails], days=days)
    )


def test_visitors_are_forgotten_so_many_days_after_the_end() -> None:
    scenario = a_fair_that_ended(30, "ada@example.com", "grace@example.com")
    assert forgotten(scenario, 31, "ada@example.com") == []
    found = forgotten(scenario, 30, "ada@example.com", "grace@example.com")
    assert [type(event) for event in found] == [Failed, Erased, Failed, Erased, VisitorsForgotten]
    assert found[0] == Failed(reason=ERASED)
    assert found[-1] == VisitorsForgotten(count=2)
    assert forgotten(scenario, 30, "ada@example.com") == []


def test_the_days_of_the_event_count_more() -> None:
    scenario = a_fair_that_ended(30, "ada@example.com")
    scenario.when(ChangeEvent(event_id=FAIR, retention_days=Days(60)))
    assert forgotten(scenario, 10, "ada@example.com") == []
    scenario.when(ChangeEvent(event_id=FAIR, retention_days=Days(0)))
    assert forgotten(scenario, None, "ada@example.com")


def test_without_any_days_nobody_is_forgotten() -> None:
    assert forgotten(a_fair_that_ended(10_000, "ada@example.com"), None, "ada@example.com") == []


def test_nobody_is_forgotten_at_another_event() -> None:
    scenario = a_fair_that_ended(30, "ada@example.com")
    assert forgotten(scenario, 10, "ada@example.com", event=OTHER_FAIR) == []


def test_a_batch_that_is_not_the_last_one_does_not_say_that_all_are_forgotten() -> None:
    scenario = a_fair_that_ended(30, "ada@example.com")
    found = scenario.when(
        ForgetVisitors(event_id=FAIR, visitor_ids=[ada()], days=30, completes=False)
    )
    assert not any(isinstance(event, VisitorsForgotten) for event in found)
    assert scenario.when(ForgetVisitors(event_id=FAIR, visitor_ids=[], days=30, before=1)) == [
        VisitorsForgotten(count=1)
    ]


def test_the_days_of_an_event_change_as_other_fields() -> None:
    scenario = a_fair_that_ended(30)
    change = ChangeEvent(event_id=FAIR, retention_days=Days(90))
    assert scenario.when(change) == [RetentionChanged(retention_days=90)]
    assert scenario.when(change) == []
    assert scenario.when(ChangeEvent(event_id=FAIR, retention_days=None)) == [
        RetentionChanged(retention_days=None)
    ]


def test_a_shorter_setting_applies_after_a_notice() -> None:
    scenario = Scenario()
    assert scenario.when(RecordRetention(days=None)) == []
    first = RetentionSettingChanged(days=365, applies_from=NOW + NOTICE)
    assert scenario.when(RecordRetention(days=365)) == [first]
    assert scenario.when(RecordRetention(days=365)) == []
    scenario.now = NOW + timedelta(days=1)
    assert scenario.when(RecordRetention(days=400)) == [
        RetentionSettingChanged(days=400, applies_from=first.applies_from)
    ]
    assert scenario.when(RecordRetention(days=3)) == [
        RetentionSettingChanged(days=3, applies_from=scenario.now + NOTICE)
    ]
    assert len(scenario.when(RecordRetention(days=None))) == 1
    assert scenario.state(POLICY_ID) is not None


@pytest.mark.parametrize("wrong", [-1, 36_501, "3", 1.5, True])
def test_days_are_a_whole_number_up_to_a_hundred_years(wrong: object) -> None:
    with pytest.raises(Invalid, match="must be a whole number of days, from 0 to 36500"):
        Days.parse(wrong)
    assert Days.parse(36_500) == 36_500
