"""Stored events are for ever: every event type has an example as it was stored, per version.

A new event class or schema version needs its example:
`.venv/bin/python -m tests.domain.test_codec` adds the missing ones and never changes one that is
there.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import (
    accounts,
    announcements,
    api_keys,
    areas,
    entries,
    event_cancellation,
    events,
    notifications,
    question_editing,
    retention,
    syncs,
    tickets,
    visitors,
    webhooks,
)
from domain.audit import disclosures
from domain.core.aggregate import EVENT_TYPES, DomainEvent, Metadata, RecordedEvent
from domain.history.codec import UnknownEvent, decode, encode, open_personal
from domain.privacy.encryption import CannotOpen, seal
from domain.privacy.keys import binding_of
from domain.questions import Question
from domain.syncs import Counts, KeptItem, SkippedItem
from tests.support.processes import run

GOLDEN = Path(__file__).parent / "golden"
KEY = b"a key that only tests would use "
SOME_ID = UUID("6f8a4a5e-0000-4000-8000-000000000001")
OTHER_ID = UUID("6f8a4a5e-0000-4000-8000-000000000002")
SOON, LATER = datetime(2030, 5, 1, 9, tzinfo=UTC), datetime(2030, 6, 1, 9, tzinfo=UTC)
PERSON = visitors.Person(
    full_name="Zoë Žižek",
    email="zoe@example.com",
    answers={"meal": "Vegan", "days": ("Sa", "So")},
    language="de",
)
QUESTION = Question(
    id="meal", type="choice", label="Was isst du?", required=True, options=("Alles", "Vegan")
)

EXAMPLES: list[DomainEvent[Any]] = [
    areas.Created(name="Große Halle"),
    areas.Renamed(name="Annex"),
    areas.EventAdded(event_id=OTHER_ID),
    areas.EventRemoved(event_id=OTHER_ID),
    areas.Deleted(),
    areas.NameClaimed(area_id=OTHER_ID),
    areas.NameReleased(),
    events.Created(
        name="PyCon 東京", event_datetime=LATER, registration_deadline=SOON, area_id=OTHER_ID,
        status="open", from_provider=True, provider_area="東京",
    ),
    events.TakenFromProvider(
        name="PyCon 東京", event_datetime=LATER, registration_deadline=SOON, area_name="東京",
        area_id=OTHER_ID, status="closed",
    ),
    events.Renamed(name="PyCon"),
    events.Rescheduled(event_datetime=LATER, registration_deadline=SOON),
    events.Relocated(area_id=OTHER_ID),
    events.Opened(),
    events.Closed(),
    events.Described(description="Three days of talks\n\nand a party"),
    events.EndChanged(ends_at=LATER),
    events.TimezoneChanged(timezone="Europe/Berlin"),
    events.CapacityChanged(capacity=100),
    events.WaitingListChanged(waiting_list="automatic"),
    events.CancelUntilChanged(cancel_until=SOON),
    events.RemindersChanged(reminders=("P1D", "PT2H")),
    question_editing.QuestionsChanged(questions=(QUESTION,)),
    events.ConfirmWithinChanged(confirm_within="PT1H"),
    events.RetentionChanged(retention_days=90),
    retention.VisitorsForgotten(count=312),
    retention.RetentionSettingChanged(days=365, applies_from=SOON),
    events.LanguageChanged(language="de"),
    event_cancellation.Cancelled(at=SOON, reason="Flooded"),
    event_cancellation.Reinstated(),
    announcements.ChangeAnnounced(
        event_datetime=SOON, area_id=OTHER_ID, area="Great Hall", only_if_news=True
    ),
    announcements.ReminderDue(offset="P1D", event_datetime=SOON),
    events.Deleted(),
    events.CleanedUp(),
    events.Restored(
        name="PyCon", event_datetime=LATER, registration_deadline=SOON, area_id=OTHER_ID,
        status="closed", from_provider=True, lapses_from=LATER, is_kept=True,
    ),
    visitors.Registered(
        event_id=OTHER_ID, code="0042", notification_id=SOME_ID, person=PERSON, confirm_by=LATER,
        moved_from=SOME_ID, notify=False,
    ),
    visitors.Waitlisted(
        event_id=OTHER_ID, notification_id=SOME_ID, person=PERSON, moved_from=SOME_ID, notify=False
    ),
    visitors.Promoted(
        event_id=OTHER_ID, code="0042", notification_id=SOME_ID, confirm_by=LATER
    ),
    visitors.Confirmed(event_id=OTHER_ID, code="0042", notification_id=SOME_ID),
    visitors.Lapsed(event_id=OTHER_ID),
    visitors.Cancelled(
        event_id=OTHER_ID, by="organizer", reason="Double", notification_id=SOME_ID,
        moved_to=OTHER_ID,
    ),
    visitors.Corrected(event_id=OTHER_ID, person=PERSON),
    visitors.MessageResent(event_id=OTHER_ID, code="0042", notification_id=SOME_ID),
    tickets.TicketReissued(event_id=OTHER_ID),
    entries.CheckedIn(
        event_id=OTHER_ID, at=SOON, received_at=LATER, nonce="8f14e45fceea167a", gate="Nord",
        offline=True,
    ),
    entries.EnteredAgain(
        event_id=OTHER_ID, at=SOON, received_at=LATER, nonce="8f14e45fceea167a", gate="Nord",
        offline=True, checked_in_at=SOON,
    ),
    entries.EnteredWithoutSeat(
        event_id=OTHER_ID, at=SOON, received_at=LATER, nonce="8f14e45fceea167a", gate="Nord",
        offline=True,
    ),
    entries.CheckInUndone(event_id=OTHER_ID, nonce="8f14e45fceea167a", checked_in_at=SOON),
    entries.ScanRecorded(visitor_id=OTHER_ID, outcome="entered"),
    entries.ScanUndone(),
    visitors.Erased(notification_id=SOME_ID),
    notifications.Sent(),
    notifications.Failed(reason="404 Not Found", visitor_id=OTHER_ID),
    notifications.Requeued(),
    syncs.Completed(
        started_at=SOON, full=True, counts=Counts(new=1, skipped=1, kept=1),
        skipped_items=(SkippedItem(item="7", reason="no name"),),
        kept_items=(KeptItem(event_id=OTHER_ID, fields=("name", "status")),),
        cursor=date(2030, 4, 30),
    ),
    syncs.Failed(started_at=SOON, full=False, reason="the provider answered 500"),
    disclosures.PersonalDataRead(
        criteria={"type": "Visitor"}, first_position=7, last_position=4711, count=12
    ),
    disclosures.PersonExported(visitor_ids=(SOME_ID, OTHER_ID)),
    accounts.Registered(username="Zoë"),
    accounts.Invited(username="Zoë"),
    accounts.RoleGranted(role="organizer"),
    accounts.RoleRevoked(role="organizer"),
    accounts.PasswordLinkMade(),
    accounts.PasswordChanged(),
    accounts.Disabled(),
    accounts.Enabled(),
    api_keys.Created(
        name="Ticket shop", scopes=("events:read", "personal"), event_ids=(OTHER_ID,),
        expires_at=SOON,
    ),
    api_keys.Rolled(former_works_until=SOON),
    api_keys.Revoked(),
    webhooks.Created(
        url="https://example.com/hooks?key=1", host="example.com", types=("event.closed",),
        event_id=OTHER_ID, personal=True,
    ),
    webhooks.Changed(url="https://example.org/", host="example.org", types=()),
    webhooks.Enabled(),
    webhooks.Disabled(reason="the endpoint answered 410 Gone"),
    webhooks.SecretRolled(),
    webhooks.Deleted(),
]  # fmt: skip


def recorded(event: DomainEvent[Any]) -> RecordedEvent:
    return RecordedEvent(
        originator_id=SOME_ID,
        originator_version=3,
        event=event,
        metadata=Metadata(timestamp=SOON, actor="anonymous", correlation_id="c-1", causation_id=17),
        position=0,
    )


def golden_file(event: DomainEvent[Any]) -> Path:
    return GOLDEN / f"{event.topic}.v{event.schema_version}.json"


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_an_event_stored_by_an_earlier_release_keeps_its_meaning(
    event: DomainEvent[Any],
) -> None:
    stored = golden_file(event).read_bytes().rstrip(b"\n")
    read = decode(SOME_ID, 3, event.topic, stored)
    assert open_personal(read, KEY) == recorded(event)


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.name)
def test_every_version_ever_stored_reads_as_the_present_one(path: Path) -> None:
    topic = path.name.rpartition(".v")[0]
    read = open_personal(decode(SOME_ID, 3, topic, path.read_bytes()), KEY)
    assert type(read.event) is EVENT_TYPES[topic]


def test_every_event_class_has_an_example_of_every_version() -> None:
    wanted = {
        f"{topic}.v{version}.json"
        for topic, event_class in EVENT_TYPES.items()
        for version in range(1, event_class.schema_version + 1)
    }
    assert {path.name for path in GOLDEN.iterdir()} == wanted


@pytest.mark.parametrize(
    "module",
    [
        "events_face.commands.projector",
        "events_face.commands.projections_rebuild",
        "api.app",
        "workers.worker",
        "workers.scheduler",
        "events_face.commands.audit_log",
        "events_face.commands.audit_state",
        "events_face.commands.audit_export",
        "events_face.commands.audit_proof",
        "events_face.commands.erase",
        "events_face.commands.sync",
    ],
)
def test_every_process_that_decodes_knows_every_event_class(module: str) -> None:
    program = f"import {module}; from domain.core.aggregate import EVENT_TYPES; print(*EVENT_TYPES)"
    known = run([sys.executable, "-c", program], check=True).stdout.split()
    assert set(known) == EVENT_TYPES.keys()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_an_encoded_event_is_decoded_to_the_same_event(event: DomainEvent[Any]) -> None:
    state = encode(recorded(event), KEY)
    assert open_personal(decode(SOME_ID, 3, event.topic, state), KEY) == recorded(event)


def test_personal_data_is_not_readable_in_stored_events() -> None:
    (event,) = (e for e in EXAMPLES if isinstance(e, visitors.Registered))
    state = encode(recorded(event), KEY)
    assert b"zoe@example.com" not in state
    assert b"person" not in state
    read = decode(SOME_ID, 3, event.topic, state).event
    assert isinstance(read, visitors.Registered)
    assert read.person is None


def test_personal_data_is_never_stored_without_a_key() -> None:
    (event,) = (e for e in EXAMPLES if isinstance(e, visitors.Registered))
    with pytest.raises(ValueError, match="personal data"):
        encode(recorded(event))


def test_personal_data_moved_to_another_event_does_not_open() -> None:
    (event,) = (e for e in EXAMPLES if isinstance(e, visitors.Registered))
    state = encode(recorded(event), KEY)
    with pytest.raises(CannotOpen):
        open_personal(decode(OTHER_ID, 3, event.topic, state), KEY)


@pytest.mark.parametrize("topic", ["Event.Teleported", ""])
def test_an_event_of_a_later_release_is_an_unknown_event(topic: str) -> None:
    with pytest.raises(UnknownEvent):
        decode(SOME_ID, 1, topic, encode(recorded(events.Opened())))


def test_a_later_version_of_a_known_event_is_an_unknown_event() -> None:
    stored = msgspec.json.decode(encode(recorded(events.Opened())))
    state = msgspec.json.encode(stored | {"schema_version": 2})
    with pytest.raises(UnknownEvent):
        decode(SOME_ID, 1, "Event.Opened", state)


def test_sealed_data_that_was_tampered_with_does_not_open() -> None:
    sealed = bytearray(seal(KEY, b"secret", binding_of(SOME_ID, 1)))
    sealed[-1] ^= 1
    (event,) = (e for e in EXAMPLES if isinstance(e, visitors.Registered))
    read = msgspec.structs.replace(recorded(event), sealed=bytes(sealed))
    with pytest.raises(CannotOpen):
        open_personal(read, KEY)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for example in EXAMPLES:
        path = golden_file(example)
        if not path.exists():
            path.write_bytes(encode(recorded(example), KEY) + b"\n")
            sys.stdout.write(f"added {path.name}\n")
