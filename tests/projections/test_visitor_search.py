"""Searching visitors by name, email and event, newest first, page by page."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.event_editing import DeleteEvent
from projections import visitor_search
from projections.lists import keyset
from projections.lists.keyset import PageStart
from projections.visitor_search import count, search
from tests.support.installation import Installation, a_registration

pytestmark = pytest.mark.anyio

PEOPLE = {
    "Ada Lovelace": "ada@example.org",
    "Ada  Byron": "ada.byron@example.com",
    "Grace Hopper": "grace+navy@example.org",
    "Zoë Ülkü": "zoe@example.org",
    "Jean-Luc O’Brien (Jr.)": "jean-luc@example.org",  # noqa: RUF001
    "李小龙": "bruce@example.org",
    "100% %_ \\ ' :* | !x": "odd@example.org",
    "Łukasz\N{NO-BREAK SPACE}Ångström": "lukasz@mail.gdańsk.pl",
    "山田\N{IDEOGRAPHIC SPACE}太郎": "taro@yamada-denki.jp",
    "Jörg Strauß": "j.s@straße.de",
    "Zoe\N{COMBINING DIAERESIS} Smith": "zs@christophersmithson-and-partners.com",
}


async def register_all(installation: Installation) -> UUID:
    event = await installation.event("Fair")
    await installation.give(*(a_registration(event, email, name) for name, email in PEOPLE.items()))
    await installation.project()
    return event


async def names(installation: Installation, text: str, event_id: UUID | None = None) -> list[str]:
    found = await search(installation.connection, installation.keys, text=text, event_id=event_id)
    return sorted(str(row.full_name) for row in found.rows)


ADAS = ["Ada  Byron", "Ada Lovelace"]
ODD = ["100% %_ \\ ' :* | !x"]


@pytest.mark.parametrize("walk", [1, keyset.SCAN_LIMIT])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", ADAS),
        ("ADA", ADAS),
        ("ada love", ["Ada Lovelace"]),
        ("love ad", ["Ada Lovelace"]),
        ("ovelace", []),
        ("ada@ex", ["Ada Lovelace"]),
        ("ada.b", ["Ada  Byron"]),
        ("grace+n", ["Grace Hopper"]),
        ("ÜLK", ["Zoë Ülkü"]),
        ("jean-luc", ["Jean-Luc O’Brien (Jr.)"]),  # noqa: RUF001
        ("luc o'brien", ["Jean-Luc O’Brien (Jr.)"]),  # noqa: RUF001
        ("jean-luc@", ["Jean-Luc O’Brien (Jr.)"]),  # noqa: RUF001
        ("jr", ["Jean-Luc O’Brien (Jr.)"]),  # noqa: RUF001
        ("李", ["李小龙"]),
        ("100%", ODD),
        ("\\", ODD),
        ("'", []),
        (":*", ODD),
        ("!x", ODD),
        ("ada & grace", []),
        ("ada | grace", []),
        ("nobody", []),
        ("lukasz", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("ŁUKASZ ang", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("a\N{COMBINING RING ABOVE}ngstro", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("ångstrôm", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("太郎", ["山田\N{IDEOGRAPHIC SPACE}太郎"]),
        ("山田\N{IDEOGRAPHIC SPACE}太", ["山田\N{IDEOGRAPHIC SPACE}太郎"]),
        ("STRAUẞ", ["Jörg Strauß"]),
        ("jorg\N{EM SPACE}straus", ["Jörg Strauß"]),
        ("strasse.de", ["Jörg Strauß"]),
        ("@STRAẞE.DE", ["Jörg Strauß"]),
        ("j.s@strasse", ["Jörg Strauß"]),
        ("zoë s", ["Zoe\N{COMBINING DIAERESIS} Smith"]),
        ("gdansk.pl", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("@mail.gdańsk.pl", ["Łukasz\N{NO-BREAK SPACE}Ångström"]),
        ("yamada-denki.jp", ["山田\N{IDEOGRAPHIC SPACE}太郎"]),
        ("grace@", []),
        ("grace+navy@", ["Grace Hopper"]),
        ("grace+navy@example.org", ["Grace Hopper"]),
        ("Grace+Navy@EXAMPLE.org", ["Grace Hopper"]),
        ("christophersmithson", ["Zoe\N{COMBINING DIAERESIS} Smith"]),
    ],
)
async def test_beginnings_of_words_find_a_visitor_literally(
    installation: Installation,
    text: str,
    found: list[str],
    walk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Among the next rows, and through the index as well."""
    monkeypatch.setattr(keyset, "SCAN_LIMIT", walk)
    await register_all(installation)
    assert await names(installation, text) == found


@pytest.mark.parametrize("scanned", [1, keyset.SCAN_LIMIT])
@pytest.mark.parametrize(
    ("text", "number"), [("ada", 2), ("zo", 2), ("ovelace", 0), ("example", 3)]
)
async def test_who_is_found_is_counted_up_to_a_limit(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    scanned: int,
    text: str,
    number: int,
) -> None:
    monkeypatch.setattr(keyset, "SCAN_LIMIT", scanned)
    monkeypatch.setattr(visitor_search, "FOUND_COUNT_LIMIT", 2)
    await register_all(installation)
    connection, keys = installation.connection, installation.keys
    assert await count(connection, keys, text=text) == number
    assert await count(connection, keys) == len(PEOPLE)


async def test_an_empty_search_finds_everybody(installation: Installation) -> None:
    await register_all(installation)
    assert await names(installation, " ") == sorted(PEOPLE)


async def test_visitors_are_found_by_their_event(installation: Installation) -> None:
    fair = await register_all(installation)
    show = await installation.event("Show")
    await installation.give(a_registration(show, "ada@example.org", "Ada of the Show"))
    await installation.project()
    assert await names(installation, "ada", fair) == ADAS
    assert await names(installation, "ada", show) == ["Ada of the Show"]
    assert await names(installation, "", show) == ["Ada of the Show"]


async def test_a_visitor_of_a_removed_event_is_listed_with_its_name(
    installation: Installation,
) -> None:
    event = await register_all(installation)
    found = await search(installation.connection, installation.keys, text="grace")
    assert (found.rows[0].event_id, found.rows[0].event) == (event, "Fair")
    await installation.give(DeleteEvent(event_id=event))
    await installation.project()
    found = await search(installation.connection, installation.keys, text="grace")
    assert (found.rows[0].event_id, found.rows[0].event) == (event, "Fair")


async def test_a_visitor_without_a_name_is_listed_but_not_found(
    installation: Installation,
) -> None:
    await register_all(installation)
    await installation.connection.execute("DELETE FROM personal_keys")
    await installation.connection.execute("UPDATE visitors SET indexed = 0, words = '{}'")
    assert len((await search(installation.connection, installation.keys)).rows) == len(PEOPLE)
    assert (await search(installation.connection, installation.keys, text="ada")).rows == []


@pytest.mark.parametrize("text", ["", "visitor"])
@pytest.mark.parametrize("walk", [1, keyset.SCAN_LIMIT])
async def test_paging_to_the_oldest_and_back_lists_each_visitor_once_in_the_same_order(
    installation: Installation, text: str, walk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "SCAN_LIMIT", walk)
    event = await installation.event()
    for tens in range(3):  # those of one batch are of one moment
        emails = [f"visitor{tens}{ones}@example.org" for ones in range(4)]
        await installation.register(event, *emails)
    await installation.project()
    connection = installation.connection
    page = await search(connection, installation.keys, text=text, limit=5)
    assert page.newer is None
    pages = [page]
    while page.older:
        page = await search(
            connection, installation.keys, text=text, start=PageStart(page.older), limit=5
        )
        pages.append(page)
    assert [len(page.rows) for page in pages] == [5, 5, 2]
    everybody = [row for page in pages for row in page.rows]
    order = [(row.registered_at, row.id) for row in everybody]
    assert order == sorted(order, reverse=True)
    assert len({row.id for row in everybody}) == 12
    back = [page]
    while page.newer:
        page = await search(
            connection,
            installation.keys,
            text=text,
            start=PageStart(page.newer, newer=True),
            limit=5,
        )
        assert page.older is not None
        back.insert(0, page)
    assert [page.rows for page in back] == [page.rows for page in pages]


async def test_a_search_is_planned_for_its_values_each_time(installation: Installation) -> None:
    """A plan for all events and words is bad for a large event."""
    fair = await register_all(installation)
    for _ in range(10):
        assert await names(installation, "ada", fair) == ADAS
    cursor = await installation.connection.execute(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%scan_limit%'"
        " OR statement LIKE '%WITH next AS%'"
    )
    assert await cursor.fetchone() == (0,)
