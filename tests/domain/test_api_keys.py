"""API keys: what they may do is recorded, their secrets are not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from domain import api_keys
from domain.api_keys import LONGEST_LIFE, CreateKey, KeyExpired, RevokeKey, RollKey
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Text
from domain.event_editing import DeleteEvent
from domain.history.codec import to_json
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, NOW, Scenario
from tests.support.installation import an_event

KEY = UUID(int=1)

SHOP = CreateKey(name=Text("Shop"), scopes=("feed", "events:read"), secret_hash=b"a hash")

ROLL = RollKey(key_id=KEY, grace=timedelta(hours=1), secret_hash=b"another hash")


def a_key(**fields: object) -> Scenario:
    created = api_keys.Created(name="Shop", scopes=("feed",))
    return Scenario().given(KEY, msgspec.structs.replace(created, **fields))


def test_a_key_has_its_scopes_in_one_order_and_history_has_no_hash() -> None:
    scenario = Scenario()
    (created,) = scenario.when(SHOP)
    assert created == api_keys.Created(name="Shop", scopes=("events:read", "feed"))
    assert b"hash" not in to_json(created)
    assert scenario.value.exists


def test_a_key_is_restricted_to_events_that_exist() -> None:
    scenario = Scenario()
    scenario.when(an_event(at=IN_A_MONTH))
    event = scenario.value.event.id
    restricted = msgspec.structs.replace(SHOP, event_ids=(event,))
    scenario.when(restricted)
    assert scenario.value.event_ids == (event,)
    for unknown in (UUID(int=77), scenario.value.id):
        with pytest.raises(InvalidFields) as refused:
            scenario.when(msgspec.structs.replace(SHOP, event_ids=(event, unknown)))
        assert refused.value.messages == {"event_ids": f"there is no event with the id {unknown}"}
    scenario.when(DeleteEvent(event_id=event))
    with pytest.raises(InvalidFields):
        scenario.when(restricted)


def test_all_that_is_wrong_with_a_key_is_said_at_once() -> None:
    wrong = msgspec.structs.replace(SHOP, event_ids=(UUID(int=77),), expires_at=NOW)
    with pytest.raises(InvalidFields) as refused:
        Scenario().when(wrong)
    assert refused.value.messages.keys() == {"event_ids", "expires_at"}


def test_rolling_says_how_long_earlier_secrets_work() -> None:
    (rolled,) = a_key(expires_at=IN_A_MONTH).when(ROLL)
    assert rolled == api_keys.Rolled(former_works_until=NOW + timedelta(hours=1))


def test_an_expired_key_is_not_rolled() -> None:
    scenario = a_key(expires_at=IN_A_WEEK)
    scenario.now = IN_A_WEEK
    with pytest.raises(KeyExpired):
        scenario.when(ROLL)
    assert scenario.when(RevokeKey(key_id=KEY)) == [api_keys.Revoked()]


def test_a_revoked_key_is_gone() -> None:
    scenario = a_key()
    assert scenario.when(RevokeKey(key_id=KEY)) == [api_keys.Revoked()]
    for command in (RevokeKey(key_id=KEY), ROLL):
        with pytest.raises(NotFound, match="There is no API key"):
            scenario.when(command)


def test_a_key_expires_within_a_hundred_years_or_never() -> None:
    last = NOW + LONGEST_LIFE
    (created,) = Scenario().when(msgspec.structs.replace(SHOP, expires_at=last))
    assert isinstance(created, api_keys.Created)
    assert created.expires_at == last
    with pytest.raises(InvalidFields) as refused:
        Scenario().when(msgspec.structs.replace(SHOP, expires_at=last + timedelta(seconds=1)))
    assert refused.value.messages.keys() == {"expires_at"}
