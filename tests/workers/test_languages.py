"""In which language visitors get messages: the event's, or else that of their registration."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import msgspec
import pytest

from domain.core.values import Email, FullName
from domain.event_cancellation import CancelEvent
from domain.event_editing import ChangeEvent
from domain.history.store import read_stream
from domain.registrations import CorrectVisitor
from projections.outbox import OUTBOX
from projections.rebuild.rebuild import rebuild_tables
from runtime.mail import Mailbox
from tests.support.installation import Installation, a_registration, an_event
from tests.support.messages import LINK, outgoing
from workers.delivery import leases
from workers.delivery.leases import Leased
from workers.delivery.mail.composing import compose

pytestmark = pytest.mark.anyio


async def event_in(installation: Installation, language: str | None) -> UUID:
    (view,) = await installation.give(msgspec.structs.replace(an_event(), language=language))
    id: UUID = view.event.id
    return id


async def registered(installation: Installation, event: UUID, email: str, language: str) -> UUID:
    command = msgspec.structs.replace(a_registration(event, email), language=language)
    (visitor,) = await installation.give(command)
    id: UUID = visitor.id
    return id


async def messages(installation: Installation) -> dict[str, str]:
    """The text of the last message to each address."""
    await installation.project()
    rows: list[Leased] = await leases.lease(
        installation.connection, installation.keys, 100, take_expired=True
    )
    rows.sort(key=lambda row: row.causation_id)
    return {str(row.email): row.message.text() for row in rows if row.message}


async def test_a_visitor_gets_all_messages_in_the_language_of_the_registration(
    installation: Installation,
) -> None:
    event = await event_in(installation, None)
    await registered(installation, event, "anna@example.org", "de")
    await registered(installation, event, "ada@example.org", "en")
    await registered(installation, event, "amelie@example.org", "fr")
    await registered(installation, event, "kahless@example.org", "tlh")  # of another release
    texts = await messages(installation)
    assert "Sie sind für diese Veranstaltung angemeldet." in texts["anna@example.org"]
    assert "You are registered for this event." in texts["ada@example.org"]
    assert "Vous êtes inscrit à cet événement." in texts["amelie@example.org"]
    assert "You are registered for this event." in texts["kahless@example.org"]

    await installation.give(CancelEvent(event_id=event))
    texts = await messages(installation)
    assert "Diese Veranstaltung ist abgesagt." in texts["anna@example.org"]
    assert "This event is cancelled." in texts["ada@example.org"]
    assert "Cet événement est annulé." in texts["amelie@example.org"]


async def test_the_language_of_an_event_comes_first_as_it_was_when_the_message_was_made(
    installation: Installation,
) -> None:
    event = await event_in(installation, "fr")
    await registered(installation, event, "anna@example.org", "de")
    await installation.give(ChangeEvent(event_id=event, language=None))
    await registered(installation, event, "bernd@example.org", "de")
    texts = await messages(installation)
    assert "Vous êtes inscrit" in texts["anna@example.org"]
    assert "Sie sind" in texts["bernd@example.org"]


async def test_a_rebuild_of_the_outbox_changes_no_language(installation: Installation) -> None:
    for language in ("fr", None):
        event = await event_in(installation, language)
        await registered(installation, event, f"anna{language}@example.org", "de")
    await installation.project()
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    texts = await messages(installation)
    assert "Vous êtes inscrit" in texts["annafr@example.org"]
    assert "Sie sind" in texts["annaNone@example.org"]


async def test_a_correction_keeps_the_language(installation: Installation) -> None:
    event = await event_in(installation, None)
    visitor = await registered(installation, event, "ana@example.org", "de")
    await installation.give(
        CorrectVisitor(
            visitor_id=visitor,
            full_name=FullName("Anna"),
            email=Email("anna@example.org"),
            language="de",
        )
    )
    assert "Sie sind" in (await messages(installation))["anna@example.org"]


async def test_a_registration_in_english_stores_nothing_more(installation: Installation) -> None:
    event = await event_in(installation, None)
    sizes = {}
    for language, email in (("en", "ada@example.org"), ("de", "ida@example.org")):
        visitor = await registered(installation, event, email, language)
        (recorded,) = await read_stream(installation.connection, visitor)
        sizes[language] = len(recorded.sealed or b"")
    assert sizes["de"] - sizes["en"] == len(',"language":"de"')


def test_a_german_mail_is_german_in_all_of_its_parts() -> None:
    english = outgoing(ticket="ABCDEFGH")
    german = msgspec.structs.replace(
        english, message=msgspec.structs.replace(english.message, language="de")
    )
    mail: EmailMessage = message_from_bytes(
        compose(german, Mailbox("", "events@example.org")).content, policy=default
    )
    assert mail["Subject"] == "Sie sind angemeldet: Spring Fair"
    assert mail["Content-Language"] == "de"
    parts = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}
    text, html = (str(parts[kind].get_content()) for kind in ("text/plain", "text/html"))
    for written in (text, html):
        assert "Samstag, 4. Mai 2030, 18:00 (Europe/Berlin)" in written
        assert "Sie erhalten diese E-Mail, weil" in written
        assert LINK in written
    assert "Ihr Bestätigungscode ist 0042" in text
    assert '<html lang="de">' in html
    assert "Zeigen Sie diesen Code am Einlass." in html
