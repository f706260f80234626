"""Registration: each of its checks, in order."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from domain import events
from domain.core.errors import NotFound
from domain.core.values import Email, FullName
from domain.departures import EraseVisitor
from domain.registrations import RegisterVisitor
from domain.visitors import DeadlinePassed, DuplicateRegistration, EventClosed, Person, Registered
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import CODE, IN_A_WEEK, Scenario, identity


def register(email: str = "ada@example.com", event_id: UUID = FAIR) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=event_id, full_name=FullName("Ada Lovelace"), email=Email.parse(email)
    )


def test_a_visitor_registers_and_gets_a_code() -> None:
    (registered,) = a_fair().when(register())
    assert isinstance(registered, Registered)
    assert registered.code == CODE
    assert registered.person == Person(full_name="Ada Lovelace", email="ada@example.com")


@pytest.mark.parametrize("again", ["ada@example.com", "ADA@Example.COM", "  ada@example.com "])
def test_an_email_registers_once_in_any_case_and_with_any_surrounding_space(again: str) -> None:
    scenario = a_fair()
    scenario.when(register())
    with pytest.raises(DuplicateRegistration):
        scenario.when(register(again))


def test_the_same_email_may_register_for_another_event() -> None:
    scenario = a_fair().given(UUID(int=2002), *a_fair().streams[FAIR])
    scenario.when(register())
    scenario.when(register(event_id=UUID(int=2002)))


def test_an_unknown_or_deleted_event_is_not_found() -> None:
    with pytest.raises(NotFound):
        Scenario().when(register())
    with pytest.raises(NotFound):
        a_fair().given(FAIR, events.Deleted()).when(register())


def test_closed_comes_before_deadline_and_deadline_before_duplicate() -> None:
    scenario = a_fair()
    scenario.when(register())
    scenario.now = IN_A_WEEK + timedelta(seconds=1)
    with pytest.raises(DeadlinePassed):
        scenario.when(register())
    scenario.given(FAIR, events.Closed())
    with pytest.raises(EventClosed):
        scenario.when(register())


def test_the_deadline_itself_still_counts() -> None:
    scenario = a_fair()
    scenario.now = IN_A_WEEK
    scenario.when(register())


def test_a_reopened_event_takes_registrations_again() -> None:
    a_fair().given(FAIR, events.Closed(), events.Opened()).when(register())


MUCH_ALIKE = [
    ("ada@fass.de", "ada@faß.de"),
    ("ada@βόλος.com", "ada@βόλοσ.com"),
    ("adaᾳ@example.com", "adaαι@example.com"),  # noqa: RUF001
    ("x2@example.com", "x²@example.com"),
    ("gross@example.com", "groß@example.com"),
    ("ﬁona@example.com", "fiona@example.com"),
]


@pytest.mark.parametrize("emails", MUCH_ALIKE + [pair[::-1] for pair in MUCH_ALIKE])
def test_people_with_similar_emails_are_two_people(emails: tuple[str, str]) -> None:
    scenario = a_fair()
    ids = set()
    for email in emails:
        scenario.when(register(email))
        ids.add(scenario.value.id)
    assert len(ids) == 2
    for email in emails:
        with pytest.raises(DuplicateRegistration):
            scenario.when(register(email))


@pytest.mark.parametrize("emails", MUCH_ALIKE)
def test_erasing_one_of_them_leaves_the_other_registered(emails: tuple[str, str]) -> None:
    scenario = a_fair()
    for email in emails:
        scenario.when(register(email))
        second = scenario.value.id
    scenario.when(EraseVisitor(visitor_id=identity.visitor(FAIR, Email.parse(emails[0]))))
    with pytest.raises(DuplicateRegistration):
        scenario.when(register(emails[1]))
    scenario.when(register(emails[0]))
    with pytest.raises(DuplicateRegistration):
        scenario.when(register(emails[0]))
    scenario.when(EraseVisitor(visitor_id=second))
    scenario.when(register(emails[1]))
    assert scenario.value.id == second
    for email in emails:
        with pytest.raises(DuplicateRegistration):
            scenario.when(register(email))


@pytest.mark.parametrize(
    "spellings",
    [
        ("Ada@Bücher.example", "ada@xn--bcher-kva.example", "ADA@XN--BCHER-KVA.EXAMPLE"),
        ("ada@faß.de", "ADA@xn--fa-hia.de", "ada@FAẞ.de"),
        ("jörg@example.com", "JÖRG@example.com", "jo\u0308rg@example.com"),
        ("ᾷ@example.com", "ᾼ͂@example.com"),
        ("σίσυφος@example.com", "ΣΊΣΥΦΟΣ@example.com", "σίσυφοσ@example.com"),
        ("ada@\uff45xample\u3002com", "ada@example.com"),
    ],
)
def test_the_spellings_of_an_email_are_one_person(spellings: Sequence[str]) -> None:
    scenario = a_fair()
    scenario.when(register(spellings[0]))
    for spelling in spellings:
        with pytest.raises(DuplicateRegistration):
            scenario.when(register(spelling))


def test_a_registration_that_cannot_be_read_counts_as_a_duplicate() -> None:
    scenario = a_fair()
    scenario.when(register("ada@fass.de"))
    (stream,) = (s for s in scenario.streams.values() if isinstance(s[0], Registered))
    stream[0] = msgspec.structs.replace(stream[0], person=None)
    with pytest.raises(DuplicateRegistration):
        scenario.when(register("ada@faß.de"))
