"""Pages for visitors in the language of their reader, or of the event."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.admin.panel import Page
from tests.api.pages.visiting import PERSON, a_visitor, facts, status
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}
FRENCH = {"Accept-Language": "fr"}


async def an_event(api: Api, **fields: Any) -> str:
    """That the pages show."""
    id = await api.event(**fields)
    await api.settled()
    return id


async def answer(api: Api, address: str, headers: dict[str, str]) -> httpx.Response:
    return await api.http.get(address, headers=headers)


async def shown(api: Api, address: str, headers: dict[str, str]) -> Page:
    return Page(await answer(api, address, headers))


async def test_a_german_reads_texts_dates_and_states_in_german(api: Api) -> None:
    event = await an_event(api, ends_at="2099-05-17T16:00:00Z", timezone="Europe/Berlin")
    page = await shown(api, f"/events/{event}", GERMAN)
    assert page.root.one("html").attributes["lang"] == "de"
    assert facts(page)["Wann"].startswith("Sonntag, 17. Mai 2099 11:00 bis 18:00 Uhr")
    assert "Es sind Plätze frei. Möglich bis" in page.text
    assert page.answer.headers["Content-Language"] == "de"
    assert "Accept-Language" in page.answer.headers["Vary"]
    french = await shown(api, f"/events/{event}", FRENCH)
    assert facts(french)["Quand"].startswith("dimanche 17 mai 2099 11:00 à 18:00")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("DE-de", "de"),
        ("en, de", "en"),
        ("de;q=0.3, fr;q=0.7", "fr"),
        ("es, fr;q=0.5, en;q=0.1", "fr"),
        ("nl, it", "en"),
        ("*", "en"),
        ("de;q=0, *", "en"),
        ("en;q=0.2, *;q=0.5", "de"),
        ("de;q=2", "en"),
        ("ä\u00ff;;==,,", "en"),
        ("de," * 5_000, "de"),
    ],
)
async def test_the_best_accepted_language_is_taken(api: Api, header: str, language: str) -> None:
    raw = httpx.Headers([(b"accept-language", header.encode("latin-1"))])
    found = await api.http.get("/events/", headers=raw)
    assert found.status_code == 200
    assert found.headers["Content-Language"] == language


async def test_each_language_is_cached_for_itself(api: Api) -> None:
    await an_event(api, name=f"Fair {uuid4().hex}")
    for address in ("/", "/events/"):
        for _ in range(2):
            german = await answer(api, address, GERMAN)
            english = await answer(api, address, {})
            assert "Kommende Veranstaltungen" in german.text
            assert "Upcoming events" in english.text
            assert german.headers["ETag"] != english.headers["ETag"]
        known = {"If-None-Match": english.headers["ETag"]}
        assert (await answer(api, address, known)).status_code == 304
        other = await answer(api, address, GERMAN | known)
        assert (other.status_code, other.headers["Content-Language"]) == (200, "de")


async def test_the_address_can_name_the_language_and_links_keep_it(api: Api) -> None:
    name = f"Fair {uuid4().hex}"
    event = await an_event(api, name=name)
    async with a_visitor(api) as browser:
        page = await browser.open(f"/events/?q={name[:9]}")
        page = await browser.open("/events/" + page.links["Deutsch"])
        assert page.heading == "Kommende Veranstaltungen"
        assert page.address == f"/events/?q=Fair+{name[5:9]}&lang=de"
        assert set(page.links) >= {"English", "Français"}
        address = next(link for link in page.links.values() if event in link)
        assert address == f"/events/{event}?lang=de"
        page = await browser.open(address)
        page = await browser.submit(full_name=" ", email="Ada @ home")
        assert page.errors == {
            "full_name": "darf nicht leer sein",
            "email": "muss eine E-Mail-Adresse sein",
        }
        page = await browser.submit(**PERSON)
        assert page.heading == "Sie sind angemeldet"
        assert page.links["Zurück zur Veranstaltung"] == f"/events/{event}?lang=de"


async def test_the_language_of_an_event_is_that_of_its_pages(api: Api) -> None:
    event = await an_event(api, language="fr", capacity=0)
    page = await shown(api, f"/events/{event}?lang=de", GERMAN)
    assert page.root.one("html").attributes["lang"] == "fr"
    assert "Toutes les places sont prises." in status(page)
    assert "Deutsch" not in page.links, "there is no other language to choose"
    embedded = await shown(api, f"/events/{event}/embed", GERMAN)
    assert "Toutes les places sont prises." in status(embedded)


async def test_refusals_and_problems_are_translated(api: Api) -> None:
    event = await an_event(api)
    await api.http.patch(f"/api/events/{event}", json={"status": "closed"})
    sent = await api.http.post(f"/events/{event}", data=PERSON, headers=GERMAN)
    assert sent.status_code == 409
    assert "Die Anmeldung für die Veranstaltung ist geschlossen." in Page(sent).text
    missing = await shown(api, f"/events/{uuid4()}", GERMAN)
    assert (missing.status, missing.heading) == (404, "Hier ist nichts")
    link = await shown(api, "/r/nothing", FRENCH)
    assert link.heading == "Ce lien ne fonctionne pas"
