"""History as an application of the `eventsourcing` library: read and written with its own means.

`History().repository.get(id, version=3)` replays an aggregate, `History().save(event)` appends, and
`ProjectionRunner(application_class=History, ...)` follows (docs/extending.md). The commands of
Events-Face do not use it: no process loads the library unless it reads history for an auditor.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import EnvType

from domain.core.aggregate import RecordedEvent
from domain.history.codec import decode, encode
from domain.history.persistence import SealedEvent
from domain.privacy.encryption import new_key
from domain.privacy.keys import InstallationKeys, binding_of, wrap


class History(Application[UUID]):
    """All aggregates and all domain events, in the order in which they were committed.

    `env` is as for any application of the library; `DATABASE_URL` is the only setting it needs.
    `keys` are necessary for saving events with personal data.
    """

    name = "history"
    env: ClassVar[dict[str, str]] = {"PERSISTENCE_MODULE": "domain.history.persistence"}

    def __init__(self, env: EnvType | None = None, keys: InstallationKeys | None = None) -> None:
        self._keys = keys
        super().__init__(env)

    def construct_mapper(self) -> EventMapper:
        return EventMapper(self._keys)


class EventMapper(Mapper[UUID]):
    """Converts between `RecordedEvent` and stored events, with `domain.history.codec`."""

    def __init__(self, keys: InstallationKeys | None = None) -> None:
        """Needs none of the library's transcoder, compressor or cipher."""
        self._keys = keys

    def to_stored_event(self, domain_event: RecordedEvent) -> StoredEvent:  # type: ignore[override]
        """Raises ValueError for personal data without keys to encrypt it with."""
        id, version = domain_event.originator_id, domain_event.originator_version
        personal_key = new_key() if domain_event.event.personal_field and self._keys else None
        wrapped = None
        if personal_key is not None and self._keys is not None:
            wrapped = wrap(self._keys, personal_key, binding_of(id, version))
        return SealedEvent(
            originator_id=id,
            originator_version=version,
            topic=domain_event.event.topic,
            state=encode(domain_event, personal_key),
            wrapped_key=wrapped,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        """The event as it was recorded; its personal data stays encrypted.

        Raises `domain.history.codec.UnknownEvent`.
        """
        return decode(
            UUID(str(stored_event.originator_id)),
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )
