"""How a domain event is stored: a topic, and JSON with its metadata and its data.

Older schema versions are converted to the present one by upcasters when they are read; stored
events are never rewritten. Golden examples are in `tests/domain/golden/`.

Event classes are registered when their modules are imported: a process that decodes events imports
`domain.application`, which imports all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domain.core.aggregate import (
    EVENT_TYPES,
    DomainEvent,
    Foreign,
    Metadata,
    RecordedEvent,
    is_foreign,
    new_fields_have_their_defaults,
)
from domain.privacy.encryption import seal, unseal
from domain.privacy.keys import InstallationKeys, binding_of, unwrap


class UnknownEvent(Exception):
    """History has an event that this release does not know: a newer release wrote it."""


class State(msgspec.Struct, omit_defaults=True, gc=False):
    """The stored JSON of every event. `domain.audit.log` depends on the order of the fields."""

    timestamp: datetime
    actor: str
    correlation_id: str
    data: msgspec.Raw
    causation_id: int | None = None
    schema_version: int = 1
    sealed: bytes | None = None


def _plain(value: object) -> str | int:
    """Encodes value types, which are subclasses of str and int."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"cannot store a {type(value).__name__}")


_UNKNOWN = Metadata(timestamp=datetime.min.replace(tzinfo=UTC), actor="", correlation_id="")
"""The metadata of events of other applications, whose state cannot be read."""

to_json = msgspec.json.Encoder(enc_hook=_plain).encode
decode_state = msgspec.json.Decoder(State).decode
"""Raises `msgspec.DecodeError`."""


def encode(recorded: RecordedEvent, personal_key: bytes | None = None) -> bytes:
    """The state to store. An event with personal data needs a `personal_key` to encrypt it with."""
    event, metadata = recorded.event, recorded.metadata
    sealed = recorded.sealed
    personal = event.personal_field and getattr(event, event.personal_field)
    if event.personal_field and personal is not None:
        if personal_key is None:
            raise ValueError(f"{event.topic} has personal data, which must be encrypted")
        event = msgspec.structs.replace(event, **{event.personal_field: None})
        bound_to = binding_of(recorded.originator_id, recorded.originator_version)
        sealed = seal(personal_key, to_json(personal), bound_to)
    return to_json(
        State(
            timestamp=metadata.timestamp,
            actor=metadata.actor,
            correlation_id=metadata.correlation_id,
            data=msgspec.Raw(to_json(event)),
            causation_id=metadata.causation_id,
            schema_version=event.written_as,
            sealed=sealed,
        )
    )


def decode(
    originator_id: UUID,
    originator_version: int,
    topic: str,
    state: bytes,
    position: int = 0,
    wrapped: bytes | None = None,
    keys: InstallationKeys | None = None,
) -> RecordedEvent:
    """The event as it was recorded. Its personal data stays sealed, unless its `wrapped` key is
    given, and the `keys` that unwrap it. Raises `UnknownEvent`, and with these keys
    `encryption.CannotOpen`."""
    if is_foreign(topic):
        return RecordedEvent(
            originator_id=originator_id,
            originator_version=originator_version,
            event=Foreign(),
            metadata=_UNKNOWN,
            position=position,
        )
    stored = decode_state(state)
    event, sealed = decode_event(topic, stored), stored.sealed
    if wrapped and keys and sealed and event.personal_field:
        bound_to = binding_of(originator_id, originator_version)
        personal_key = unwrap(keys, wrapped, bound_to)
        event, sealed = _with_personal(event, unseal(personal_key, sealed, bound_to)), None
    return RecordedEvent(
        originator_id=originator_id,
        originator_version=originator_version,
        event=event,
        metadata=Metadata(
            timestamp=stored.timestamp,
            actor=stored.actor,
            correlation_id=stored.correlation_id,
            causation_id=stored.causation_id,
        ),
        position=position,
        sealed=sealed,
    )


def open_personal(recorded: RecordedEvent, personal_key: bytes) -> RecordedEvent:
    """The event with its personal data in place. Raises `encryption.CannotOpen`."""
    if recorded.sealed is None or recorded.event.personal_field is None:
        return recorded
    bound_to = binding_of(recorded.originator_id, recorded.originator_version)
    event = _with_personal(recorded.event, unseal(personal_key, recorded.sealed, bound_to))
    return msgspec.structs.replace(recorded, event=event, sealed=None)


def _with_personal(event: DomainEvent[Any], plaintext: bytes) -> DomainEvent[Any]:
    personal = _personal_decoder(type(event)).decode(plaintext)
    return msgspec.structs.replace(event, **{event.personal_field or "": personal})


def decode_personal_data(topic: str, state: bytes, personal_key: bytes, bound_to: bytes) -> Any:
    """Only the personal data of a stored event; None without any. Raises `UnknownEvent`,
    `encryption.CannotOpen`."""
    stored = decode_state(state)
    event_class = _event_class(topic, stored)
    if stored.sealed is None or event_class.personal_field is None:
        return None
    return _personal_decoder(event_class).decode(unseal(personal_key, stored.sealed, bound_to))


def decode_event(topic: str, stored: State) -> DomainEvent[Any]:
    """The domain event in a decoded state. Raises `UnknownEvent`."""
    return _event_decoder(_event_class(topic, stored), stored.schema_version)(stored.data)


def _event_class(topic: str, stored: State) -> type[DomainEvent[Any]]:
    event_class = EVENT_TYPES.get(topic)
    if event_class is None or stored.schema_version > event_class.schema_version:
        raise UnknownEvent(f"{topic} version {stored.schema_version}: is this an older release?")
    return event_class


@cache
def _event_decoder(
    event_class: type[DomainEvent[Any]], schema_version: int
) -> Callable[[bytes | msgspec.Raw], DomainEvent[Any]]:
    """Decodes the data of events that were stored with this schema version."""
    newer = event_class.upcasters()[schema_version - 1 :]
    upcasters = [upcast for upcast in newer if upcast is not new_fields_have_their_defaults]

    def decode_older(data: bytes | msgspec.Raw) -> DomainEvent[Any]:
        fields = msgspec.json.decode(data)
        for upcast in upcasters:
            fields = upcast(fields)
        event: DomainEvent[Any] = msgspec.convert(fields, event_class)
        return event

    decode_present: Callable[..., DomainEvent[Any]] = msgspec.json.Decoder(event_class).decode
    return decode_older if upcasters else decode_present


@cache
def _personal_decoder(event_class: type[DomainEvent[Any]]) -> msgspec.json.Decoder[Any]:
    types = {field.name: field.type for field in msgspec.structs.fields(event_class)}
    return msgspec.json.Decoder(types[event_class.personal_field or ""])


class _When(msgspec.Struct):
    timestamp: datetime


_decode_when = msgspec.json.Decoder(_When).decode


def age_of(state: bytes | None) -> float | None:
    """Seconds since the stored event happened; None when the state cannot be read."""
    try:
        recorded = _decode_when(state or b"")
    except msgspec.DecodeError:
        return None
    return max(0.0, (datetime.now(UTC) - recorded.timestamp).total_seconds())
