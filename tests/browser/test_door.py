"""The door page on a phone, in a real Chromium: with a USB scanner, by name, online and offline."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Route, expect

from domain.api_keys import RevokeKey
from tests.api.serving import OPERATOR, Api
from tests.browser.accessibility import violations
from tests.browser.door_phones import (
    Phones,
    door_link,
    door_link_and_key,
    organizer_of,
    visitors_of,
)
from tests.browser.looking import People, field, notice
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def entered(site: Api, event: str) -> list[dict[str, Any]]:
    """Who came in, as the API says."""
    account = await organizer_of(site)
    answer = await site.http.get(f"/api/events/{event}/visitors?limit=100", headers=account)
    return [visitor for visitor in answer.json()["data"] if visitor["checked_in_at"]]


def forged(ticket: str) -> str:
    """Of the same event, with another seal."""
    return ticket[:-1] + ("B" if ticket[-1] == "A" else "A")


async def test_each_scan_gets_a_verdict_in_words_and_the_last_can_be_undone(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair at the door")
    tickets = await visitors_of(site, event, "Ada Lovelace", "Grace Hopper")
    elsewhere = await visitors_of(site, await site.event(name="Elsewhere"), "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await expect(phone.page.locator("h1")).to_have_text("Fair at the door")
    assert "evf_" not in phone.page.url
    await phone.counts(inside="0 of 2", waiting=0)
    await phone.scan(tickets["Ada Lovelace"].lower())
    await phone.sees("Let in", "Ada Lovelace")
    await phone.counts(inside="1 of 2", waiting=0)
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Stop", "Already inside")
    await phone.scan(elsewhere["Ada Lovelace"])
    await phone.sees("Stop", "another event")
    await phone.scan(forged(tickets["Ada Lovelace"]))
    await phone.sees("Stop", "no ticket of ours")
    await phone.press("Undo the last")
    await phone.sees("Undone")
    await phone.counts(inside="0 of 2", waiting=0)
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Let in", "Ada Lovelace")


async def test_a_scanner_that_reads_something_else_is_told_and_reads_tickets_after_it(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with other codes")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await phone.counts(inside="0 of 1", waiting=0)
    await phone.scan("https://example.org/a-page")
    await phone.sees("Stop", "This is no ticket")
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Let in", "Ada Lovelace")


async def test_an_address_of_no_event_is_said_also_when_the_page_is_kept(
    site: Api, phones: Phones
) -> None:
    phone = await phones(await door_link(site, await site.event(name="Fair with a door")))
    await phone.ready()
    await phone.page.goto("/door/of-no-event")
    await expect(phone.page.locator("#problem")).to_contain_text("Which event?")


async def test_a_visitor_is_found_by_name_and_checked_in_at_a_named_gate(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with names")
    await visitors_of(site, event, "Jürgen Müller", "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await phone.page.get_by_text("Settings").click()
    await field(phone.page, "Name of this gate").fill("North")
    await phone.press("Save")
    other = await phones(await door_link(site, event))
    await field(phone.page, "Ticket or name").fill("muller")
    await phone.press("Check in Jürgen Müller")
    await phone.sees("Let in", "Jürgen Müller")
    await field(other.page, "Ticket or name").fill("jurgen")
    await other.press("Check in Jürgen Müller")
    await other.sees("Stop", "North")
    nameless = await phones(await door_link(site, event, ("check_in",)))
    await field(nameless.page, "Ticket or name").fill("muller")
    await expect(nameless.page.locator("#search-note")).to_contain_text("Names are not in the list")


async def test_fifty_scans_without_a_network_survive_a_closed_page_and_are_recorded_once(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair in a cellar")
    names = [f"Visitor {number}" for number in range(60)]
    tickets = await visitors_of(site, event, *names)
    phone = await phones(await door_link(site, event))
    await phone.counts(inside="0 of 60", waiting=0)
    await phone.context.set_offline(True)
    await expect(phone.page.locator("#connection")).to_contain_text("Offline")
    for name in names[:30]:
        await phone.scan(tickets[name])
        await phone.sees("Let in", name)
    await phone.scan(tickets[names[0]])
    await phone.sees("Stop", "Already inside")
    phone = await phone.reopened()
    await phone.counts(inside="30 of 60", waiting=30)
    await phone.scan(tickets[names[1]])
    await phone.sees("Stop", "Already inside")
    for name in names[30:50]:
        await phone.scan(tickets[name])
        await phone.sees("Let in", name)
    await phone.scan(forged(tickets[names[0]]))
    await phone.sees("Ask", "Not in the list of this phone")
    await phone.press("Turn away")
    await phone.press("Undo the last")
    await phone.scan(tickets[names[49]])
    await phone.sees("Let in", names[49])
    assert await entered(site, event) == []
    await phone.context.set_offline(False)
    await phone.counts(inside="50 of 60", waiting=0)
    await site.settled()
    assert sorted(v["full_name"] for v in await entered(site, event)) == sorted(names[:50])
    assert await recorded(site, event) == 50


async def recorded(site: Api, event: str) -> int:
    """Entries in history, repeated ones too."""
    account = await organizer_of(site)
    types = "check_in.recorded,check_in.repeated"
    query = f"/api/feed?event_id={event}&types={types}&limit=1000"
    return len((await site.http.get(query, headers=account)).json()["data"])


async def test_two_phones_without_a_network_are_told_of_the_same_ticket_afterwards(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with two gates")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    link = await door_link(site, event)
    north, south = await phones(link), await phones(link)
    for phone in (north, south):
        await phone.counts(inside="0 of 1", waiting=0)
        await phone.context.set_offline(True)
        await phone.scan(tickets["Ada Lovelace"])
        await phone.sees("Let in", "Ada Lovelace")
    await north.context.set_offline(False)
    await north.counts(inside="1 of 1", waiting=0)
    await expect(north.page.locator("#told")).to_be_hidden()
    await south.context.set_offline(False)
    await expect(south.page.locator("#told")).to_contain_text("Ada Lovelace came in twice")
    south = await south.reopened()
    await expect(south.page.locator("#told")).to_contain_text("Ada Lovelace came in twice")
    assert await violations(south.page) == []
    await south.press("Done")
    await expect(south.page.locator("#told")).to_be_hidden()


async def test_a_scan_that_the_server_cannot_take_holds_up_no_other(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with a strange gate")
    names = ["Ada Lovelace", "Grace Hopper", "Alan Turing"]
    tickets = await visitors_of(site, event, *names)
    phone = await phones(await door_link(site, event))
    await phone.counts(inside="0 of 3", waiting=0)

    async def spoil(route: Route) -> None:
        sent = json.loads(route.request.post_data or "")
        for entry in sent["entries"]:
            if entry["ticket"] == tickets["Ada Lovelace"]:
                entry["gate"] = "\0"
        await route.continue_(post_data=json.dumps(sent))

    await phone.context.route("**/check-ins/batch", spoil)
    await phone.context.set_offline(True)
    for name in names:
        await phone.scan(tickets[name])
        await phone.sees("Let in", name)
    await phone.context.set_offline(False)
    await phone.counts(inside="2 of 3", waiting=0)
    await expect(phone.page.locator("#told")).to_contain_text("the server does not take the scan")
    await site.settled()
    found = [visitor["full_name"] for visitor in await entered(site, event)]
    assert sorted(found) == ["Alan Turing", "Grace Hopper"]


async def test_who_registered_after_the_list_was_read_is_amber_and_let_in_by_hand(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with late guests")
    await visitors_of(site, event, "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await phone.context.set_offline(True)
    late = await visitors_of(site, event, "Late Guest")
    await phone.scan(late["Late Guest"])
    await phone.sees("Ask", "Not in the list of this phone")
    assert await violations(phone.page) == []
    await phone.press("Let in")
    await phone.scan(late["Late Guest"])
    await phone.sees("Stop", "Already inside")
    await phone.context.set_offline(False)
    await phone.counts(inside="1 of 2", waiting=0)
    await site.settled()
    assert [v["full_name"] for v in await entered(site, event)] == ["Late Guest"]


async def test_a_revoked_link_ends_the_page_and_another_sends_what_it_kept(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with a lost phone")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    link, key_id = await door_link_and_key(site, event)
    phone = await phones(link)
    await phone.counts(inside="0 of 1", waiting=0)
    await phone.context.set_offline(True)
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Let in", "Ada Lovelace")
    await site.connections.writer.execute(RevokeKey(key_id=key_id), OPERATOR)
    await phone.context.set_offline(False)
    problem = phone.page.locator("#problem")
    await expect(problem).to_contain_text("This link has ended")
    await expect(problem).to_contain_text("One scan is kept on this device")
    assert await violations(phone.page) == []
    assert await phone.page.evaluate(KEPT) == {"doors": 0, "visitors": 0, "queue": 1}
    await phone.page.goto(await door_link(site, event))
    await phone.counts(inside="1 of 1", waiting=0)


KEPT = """
    () => new Promise((resolve) => {
        const request = indexedDB.open("events-face-door");
        request.onsuccess = async () => {
            const counts = {};
            for (const name of ["doors", "visitors", "queue"]) {
                counts[name] = await new Promise((done) => {
                    const store = request.result.transaction(name).objectStore(name);
                    store.count().onsuccess = (event) => done(event.target.result);
                });
            }
            request.result.close();
            resolve(counts);
        };
    })
"""
"""Rows in the phone's database."""


async def test_a_list_is_forgotten_by_a_button(site: Api, phones: Phones) -> None:
    event = await site.event(name="Fair to forget")
    await visitors_of(site, event, "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await phone.counts(inside="0 of 1", waiting=0)
    await phone.page.get_by_text("Settings").click()
    await phone.press("Forget the list on this device")
    await expect(phone.page.locator("#problem")).to_contain_text("Open the link")
    assert await phone.page.evaluate(KEPT) == {"doors": 0, "visitors": 0, "queue": 0}
    await phone.page.reload()
    await expect(phone.page.locator("#problem")).to_be_visible()


async def test_an_organizer_opens_the_door_by_the_session_and_a_sign_out_takes_the_list(
    site: Api, people: People
) -> None:
    event = await site.event(name="Fair of an organizer")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    page = await people("organizer")
    await page.goto(f"/admin/events/{event}/door")
    await page.get_by_role("link", name="Open the door here").click()
    await expect(page.locator("#counts")).to_contain_text("0 of 1")
    await page.keyboard.type(tickets["Ada Lovelace"])
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict")).to_contain_text("Ada Lovelace")
    assert (await page.evaluate(KEPT))["visitors"] == 1
    await page.goto("/admin/")
    await page.get_by_role("button", name="Sign out").click()

    async def is_forgotten() -> bool:
        return bool(await page.evaluate(KEPT) == {"doors": 0, "visitors": 0, "queue": 0})

    await until_async(is_forgotten)
    await page.goto(f"/door/{event}")
    await expect(page.locator("#problem")).to_contain_text("You are signed out")


async def test_a_link_is_made_shown_as_a_qr_code_and_revoked_in_the_panel(
    site: Api, people: People, phones: Phones
) -> None:
    event = await site.event(name="Fair with links")
    await site.settled()
    page = await people("organizer")
    await page.goto(f"/admin/events/{event}/door")
    await field(page, "Name").fill("North gate")
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    assert await violations(page) == []
    link = await field(page, "Or send the link").input_value()
    phone = await phones(link)
    await phone.counts(inside="0 of 0", waiting=0)
    await page.get_by_role("link", name="Done").click()
    assert await violations(page) == []
    await page.get_by_role("link", name="Revoke North gate").click()
    await page.get_by_role("button", name="Revoke").click()
    await expect(notice(page)).to_have_text("The link “North gate” was revoked.")
    await expect(phone.page.locator("#problem")).to_contain_text("This link has ended")


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_is_accessible_and_fits(site: Api, phones: Phones, width: int) -> None:
    event = await site.event(name="A fair with a long name for all who can read it")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    phone = await phones(await door_link(site, event), viewport={"width": width, "height": 844})
    assert await violations(phone.page) == []
    for word in ("Let in", "Stop"):
        await phone.scan(tickets["Ada Lovelace"])
        await phone.sees(word, "Ada Lovelace")
        assert await violations(phone.page) == []
    await phone.context.set_offline(True)
    await phone.scan(forged(tickets["Ada Lovelace"]))
    await phone.sees("Ask")
    assert await phone.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


async def test_a_scan_that_fails_unexpectedly_does_not_stop_those_after_it(
    site: Api, phones: Phones
) -> None:
    event = await site.event(name="Fair with a full disk")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    phone = await phones(await door_link(site, event))
    await phone.counts(inside="0 of 1", waiting=0)
    await phone.context.set_offline(True)
    await phone.page.evaluate(FULL_DISK)
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Scan again", "the disk is full")
    await phone.page.evaluate(FREE_DISK)
    await phone.scan(tickets["Ada Lovelace"])
    await phone.sees("Let in", "Ada Lovelace")


FULL_DISK = """
    () => {
        globalThis.realPut = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = () => { throw new Error("the disk is full"); };
    }
"""

FREE_DISK = "() => { IDBObjectStore.prototype.put = globalThis.realPut; }"
