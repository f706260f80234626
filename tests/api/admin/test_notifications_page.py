"""`/admin/notifications/`: what is seen there, and sending failed ones again."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from api.admin import notifications, visitors
from domain.audit.disclosures import PersonalDataRead
from domain.history.batch import Origin
from domain.history.store import read_events
from domain.notifications import RecordDelivery
from projections import service_replies
from projections.new_messages import MOST_IN_PERIOD
from projections.service_replies import Reply
from tests.api.admin.panel import Page, Panel
from tests.api.serving import Api
from tests.workers.outboxes import forget_everybody

pytestmark = pytest.mark.anyio

NOTIFICATIONS = "/admin/notifications/"


async def registered(api: Api, panel: Panel, *names: str) -> list[UUID]:
    """The ids of their notifications, which the panel's pages include afterwards."""
    event = await api.event(name="Fair")
    for name in names:
        body = {"full_name": name, "email": f"{name}@example.com"}
        answer = await api.http.post(f"/api/events/{event}/register", json=body)
        include(panel, int(answer.headers["Event-Position"]))
    await panel.open(NOTIFICATIONS)
    async with api.connections.readers.connection() as connection:
        cursor = await connection.execute("SELECT id FROM outbox ORDER BY position")
        return [id for (id,) in await cursor.fetchall()]


async def fail(api: Api, panel: Panel, *ids: UUID) -> None:
    for id in ids:
        command = RecordDelivery(notification_id=id, failure="422: no such mailbox")
        origin = Origin(actor="system:worker", correlation_id="test")
        include(panel, (await api.connections.writer.execute(command, origin)).position)


def include(panel: Panel, position: int) -> None:
    """Let the panel's browser have made the change itself."""
    panel.http.cookies.set("events_face_seen", str(position), path="/admin", domain="127.0.0.1")


def tab(page: Page, name: str) -> str:
    (text,) = [text for text in page.links if text.startswith(name)]
    return text


async def test_notifications_are_listed_with_their_state(api: Api, auditor: Panel) -> None:
    assert "There are no messages yet" in (await auditor.open(NOTIFICATIONS)).text
    ada, _ = await registered(api, auditor, "ada", "bob")
    await fail(api, auditor, ada)
    page = await auditor.open(f"{NOTIFICATIONS}?personal=true")
    assert [row[1:5] for row in page.rows] == [
        ["bobbob@example.com", "waiting", "0", "\N{EN DASH}"],
        ["adaada@example.com", "failed", "0", "422: no such mailbox"],
    ]
    assert page.rows[0][0].startswith("Registered")
    assert [tab(page, name) for name in ("Waiting", "Sent", "Failed")] == [
        "Waiting 1",
        "Sent 0",
        "Failed 1",
    ]
    assert page.buttons == ["Search"]
    assert "Send all failed again" not in page.links


async def test_a_notifications_page_shows_its_text_without_the_code(
    api: Api, auditor: Panel
) -> None:
    (ada,) = await registered(api, auditor, "ada")
    await fail(api, auditor, ada)
    page = await auditor.open(f"{NOTIFICATIONS}?personal=true")
    page = await auditor.follow("Registered")
    assert (page.address, page.heading) == (f"{NOTIFICATIONS}{ada}", "Registered")
    assert "(name hidden)" in page.links
    text = page.root.one("pre", class_="code").text
    assert "Your confirmation code is ****" in text
    assert "You are registered for this event." in text
    assert "422: no such mailbox" in page.text
    assert "Send again" not in page.buttons
    page = await auditor.follow("Show names and emails")
    assert {"ada", "Fair"} <= page.links.keys()
    async with api.connections.readers.connection() as connection:
        history = await read_events(connection, after=0, limit=100)
    assert len([e for e in history if isinstance(e.event, PersonalDataRead)]) == 2
    assert (await auditor.open(f"{NOTIFICATIONS}{uuid4()}")).status == 404


async def test_they_are_filtered_by_state_and_date(api: Api, organizer: Panel) -> None:
    ada, _ = await registered(api, organizer, "ada", "bob")
    await fail(api, organizer, ada)
    page = await organizer.open(NOTIFICATIONS)
    page = await organizer.follow(tab(page, "Failed"))
    assert len(page.rows) == 1
    assert "No message matches" in (await organizer.open(f"{NOTIFICATIONS}?state=sent")).text
    page = await organizer.open(NOTIFICATIONS)
    for _ in ("year", "month", "day"):
        (*_, narrower) = page.root.one("nav", class_="dates").all("a")
        page = await organizer.follow(narrower.text)
        assert len(page.rows) == 2
    assert "No message" in (await organizer.open(f"{NOTIFICATIONS}?date=1999")).text


async def test_they_are_searched_by_event_name_and_email(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    await registered(api, organizer, "ada", "bob")
    other = await api.event(name="Übung am Donnerstag")
    answer = await api.register(other, "carla@example.com")
    for panel in (organizer, auditor):
        include(panel, int(answer.headers["Event-Position"]))

    async def found(panel: Panel, text: str, **others: str) -> list[str]:
        page = await panel.open(f"{NOTIFICATIONS}?{urlencode({'q': text, **others})}")
        return [row[1] for row in page.rows]

    assert len(await found(organizer, "fair")) == 2
    (of_carla,) = await found(organizer, "ubung")
    assert of_carla.endswith("carla@example.com")
    (of_ada,) = await found(organizer, "ada@example")
    assert of_ada == "adaada@example.com"
    assert await found(organizer, "ada@example", state="sent") == []
    assert await found(organizer, "nobody") == await found(organizer, "%") == []
    assert len(await found(auditor, "fair")) == 2
    assert await found(auditor, "ada@example") == []
    assert await found(auditor, "ada@example", personal="true") == ["adaada@example.com"]


async def test_a_failed_one_is_sent_again(api: Api, organizer: Panel) -> None:
    ada, bob = await registered(api, organizer, "ada", "bob")
    await fail(api, organizer, ada, bob)
    await organizer.open(f"{NOTIFICATIONS}?state=failed")
    page = await organizer.submit(f"{NOTIFICATIONS}{ada}/again")
    assert page.notice == "The message will be sent again."
    assert page.address == f"{NOTIFICATIONS}?state=failed"
    assert page.column(1) == ["bobbob@example.com"]
    answer = await organizer.send(f"{NOTIFICATIONS}{ada}/again")
    assert answer.status_code == 303
    assert "Nothing changed" in (await organizer.open(answer.headers["Location"])).notice
    assert await requeued_by(api) == {await account_of(api, "organizer")}


async def test_a_notification_is_sent_again_from_its_page(api: Api, organizer: Panel) -> None:
    (ada,) = await registered(api, organizer, "ada")
    await fail(api, organizer, ada)
    await organizer.open(NOTIFICATIONS)
    page = await organizer.follow("Registered")
    page = await organizer.submit(button="Send again")
    assert page.address == f"{NOTIFICATIONS}{ada}"
    assert page.notice == "The message will be sent again."
    assert "waiting" in [tag.text for tag in page.root.all("span", class_="tag")]
    assert "Send again" not in page.buttons


async def test_a_held_message_says_until_when(api: Api, organizer: Panel) -> None:
    for _ in range(MOST_IN_PERIOD + 1):
        held = (await registered(api, organizer, "ada"))[-1]
    page = await organizer.open(f"{NOTIFICATIONS}{held}")
    assert "Held until" in page.text
    assert "Next try" not in page.text
    assert "An address gets at most 5 messages an hour" in page.text


async def test_a_visitors_page_shows_all_messages_newest_first(
    api: Api, organizer: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada,) = await registered(api, organizer, "ada")
    await fail(api, organizer, ada)
    await organizer.open(NOTIFICATIONS)
    page = await organizer.follow("ada")
    visitor = page.address
    await organizer.submit(f"{visitor}/resend")
    await organizer.open(f"{visitor}/cancel")
    page = await organizer.submit(reason="asked by phone")

    def shown(page: Page) -> list[list[str]]:
        table = page.root.one("div", class_="table")
        return [[row.all("td")[1].one("span").text] for row in table.all("tr")[1:]]

    assert shown(page) == [["waiting"], ["waiting"], ["failed"]]
    assert page.links["Registration cancelled"].startswith(NOTIFICATIONS)
    monkeypatch.setattr(visitors, "PAGE_SIZE", 2)
    await organizer.open(visitor)
    assert shown(await organizer.follow("Older →")) == [["failed"]]


async def test_all_failed_ones_are_sent_again_after_confirmation(
    api: Api, organizer: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more at once than the page has said."""
    monkeypatch.setattr(notifications, "COUNT_LIMIT", 3)
    monkeypatch.setattr(notifications, "BATCH_LIMIT", 2)
    ids = await registered(api, organizer, "ada", "bob", "cy", "di")
    await fail(api, organizer, *ids)
    await organizer.open(NOTIFICATIONS)
    page = await organizer.follow("Send all failed again")
    assert "More than 3 messages have failed" in page.text
    page = await organizer.submit()
    assert page.notice.startswith("3 messages will be sent again. More failed messages remain")
    assert page.column(2) == ["waiting"] * 3
    page = await organizer.open(f"{NOTIFICATIONS}again")
    assert "1 message has failed" in page.text
    page = await organizer.submit()
    assert page.notice == "1 message will be sent again."
    page = await organizer.open(f"{NOTIFICATIONS}again")
    assert "There is nothing to send again" in page.text
    assert page.root.one("button", class_="main").has("disabled")


async def test_a_notification_waiting_for_a_retry_can_be_sent_now(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    ada, bob = await registered(api, organizer, "ada", "bob")
    async with api.connections.primary.connection() as connection:
        await connection.execute(
            "UPDATE outbox SET due_at = now() + interval '10 years',"
            " lease_token = CASE id WHEN %s THEN id END",
            [bob],
        )
    page = await organizer.open(NOTIFICATIONS)
    page = await organizer.submit(button="Send waiting now")
    assert page.notice == "1 message will be tried now."
    async with api.connections.readers.connection() as connection:
        cursor = await connection.execute("SELECT id FROM outbox WHERE due_at <= now()")
        assert await cursor.fetchall() == [(ada,)]
    page = await organizer.submit(button="Send waiting now")
    assert page.notice == "No message is waiting for a later try."
    assert "Send waiting now" not in (await auditor.open(NOTIFICATIONS)).buttons


async def test_a_notification_to_an_erased_person_is_not_sent_again(
    api: Api, organizer: Panel
) -> None:
    ids = await registered(api, organizer, "ada")
    await fail(api, organizer, *ids)
    await organizer.open(NOTIFICATIONS)
    async with api.connections.readers.connection() as connection:
        await forget_everybody(connection)
    assert (await organizer.open(NOTIFICATIONS)).buttons == ["Search"]
    page = await organizer.open(f"{NOTIFICATIONS}again")
    assert "There is nothing to send again" in page.text


async def test_an_auditor_cannot_send_notifications_again(api: Api, auditor: Panel) -> None:
    ids = await registered(api, auditor, "ada")
    await fail(api, auditor, *ids)
    page = await auditor.open(f"{NOTIFICATIONS}?state=failed")
    assert page.buttons == ["Search"]
    assert (await auditor.open(f"{NOTIFICATIONS}again")).status == 403
    for address in (f"{NOTIFICATIONS}again", f"{NOTIFICATIONS}{ids[0]}/again"):
        assert (await auditor.send(address)).status_code == 403
    assert await requeued_by(api) == set()


async def test_a_pause_is_shown_with_its_reason(api: Api, organizer: Panel) -> None:
    await registered(api, organizer, "ada")
    async with api.connections.readers.connection() as connection:
        await connection.execute(
            """
            INSERT INTO delivery_pause (reason, probe_at, probe_every)
            VALUES ('401: who are <you>?', now(), '5 s')
            """
        )
    page = await organizer.open(NOTIFICATIONS)
    assert "401: who are <you>?" in page.alert
    assert page.column(2) == ["paused"]
    page = await organizer.follow("ada")
    assert "401: who are <you>?" in page.alert
    assert "paused" in [tag.text for tag in page.root.all("span", class_="tag")]


@pytest.mark.parametrize(
    "query", ["state=nonsense", "date=2030-13", "date=x", "older_than=x", "state=waiting&date=9998"]
)
async def test_invalid_parameters_are_answered_with_a_list(
    api: Api, organizer: Panel, query: str
) -> None:
    await registered(api, organizer, "ada")
    page = await organizer.open(f"{NOTIFICATIONS}?{query}")
    assert (page.status, page.heading) == (200, "Messages")


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "@evil.example"])
async def test_sending_again_redirects_only_to_the_panel(
    api: Api, organizer: Panel, back: str
) -> None:
    (ada,) = await registered(api, organizer, "ada")
    answer = await organizer.send(f"{NOTIFICATIONS}{ada}/again?back={back}")
    assert answer.headers["Location"] == f"{NOTIFICATIONS}{ada}"


async def requeued_by(api: Api) -> set[str]:
    """Who has sent notifications again, as history has it."""
    async with api.connections.readers.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT convert_from(state, 'UTF8')::jsonb ->> 'actor' FROM history_events
            WHERE topic = 'Notification.Requeued'
            """
        )
        return {actor for (actor,) in await cursor.fetchall()}


async def account_of(api: Api, username: str) -> str:
    async with api.connections.readers.connection() as connection:
        cursor = await connection.execute(
            "SELECT id::text FROM accounts WHERE username = %s", [username]
        )
        row = await cursor.fetchone()
        assert row is not None
        return str(row[0])


async def test_all_failed_ones_of_one_event_are_sent_again(api: Api, organizer: Panel) -> None:
    await registered(api, organizer, "ada")
    ada, bob = await registered(api, organizer, "bob")
    await fail(api, organizer, ada, bob)
    page = await organizer.open(f"{NOTIFICATIONS}{ada}")
    event = next(address for address in page.links.values() if address.endswith("/messages"))
    await organizer.open(event)
    page = await organizer.follow("Send all failed again")
    assert "1 message to visitors of this event has failed" in page.text
    page = await organizer.submit()
    assert page.address.startswith(event)
    assert page.notice == "1 message will be sent again."
    assert page.column(2) == ["waiting"]
    assert "Send all failed again" not in page.links
    page = await organizer.open(f"{NOTIFICATIONS}?state=failed")
    assert len(page.rows) == 1, "those of other events stay failed"


async def test_what_the_service_said_is_shown_to_who_may_see_names(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    (ada,) = await registered(api, organizer, "ada")
    await fail(api, organizer, ada)
    said, keys = "no such mailbox: ada@example.com <b>", api.connections.keys
    async with api.connections.primary.connection() as connection:
        cursor = await connection.execute("SELECT person_position FROM outbox")
        ((position,),) = await cursor.fetchall()
        await service_replies.keep(connection, keys, [Reply(ada, position, said)])
    for address in (NOTIFICATIONS, f"{NOTIFICATIONS}{ada}"):
        assert said in (await organizer.open(address)).text
        assert "no such mailbox:" not in (await auditor.open(address)).text
        assert said in (await auditor.open(f"{address}?personal=true")).text
