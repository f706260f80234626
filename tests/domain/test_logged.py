"""Log entries never contain secrets, however the event is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.audit.entry import log_entry
from domain.core.aggregate import EVENT_TYPES
from domain.history.codec import to_json

CODE = "7319"
DATA: dict[str, Any] = {"code": CODE, "event_id": str(UUID(int=1)), "notification_id": "x"}
HEAD = {"timestamp": "2030-05-01T12:00:00Z", "actor": "anonymous", "correlation_id": "a-request"}


def stored(**changes: Any) -> bytes:
    return msgspec.json.encode({**HEAD, "data": DATA, **changes})


def shown(state: bytes, topic: str = "Visitor.Registered") -> str:
    return to_json(log_entry(7, UUID(int=2), 1, topic, state, has_key=True)).decode()


@pytest.mark.parametrize(
    "state",
    [
        stored(),
        stored(schema_version=99),  # of a later release
        stored(data=[DATA]),
        stored(data=f"code: {CODE}"),
        stored(data={"code": [CODE]}),
        stored() + b"}",  # tampered with
        stored()[:-1],
        stored(timestamp=None),
        b"\xff" + stored(),
    ],
)
def test_no_reader_of_history_sees_a_code(state: bytes) -> None:
    assert CODE not in shown(state)


def test_the_other_fields_are_shown() -> None:
    data = msgspec.json.decode(shown(stored()))["data"]
    assert data == {name: value for name, value in DATA.items() if name != "code"}


def test_a_field_with_that_name_is_not_secret_in_other_events() -> None:
    assert CODE in shown(stored(), "Event.Created")


def test_secret_fields_are_fields() -> None:
    for event_class in EVENT_TYPES.values():
        assert event_class.secret_fields <= set(event_class.__struct_fields__)
    assert EVENT_TYPES["Visitor.Registered"].secret_fields == {"code"}
