"""Invariants hold after any sequence of commands, and history has all of it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from domain import visitors
from domain.areas import Area, AreaName, CreateArea, DeleteArea, RenameArea
from domain.core.errors import DomainError
from domain.core.values import Email, FullName, Text
from domain.event_editing import ChangeEvent, CleanUpEvent, CreateEvent, DeleteEvent
from domain.events import Event
from domain.provider_items import SyncEvent
from domain.registrations import RegisterVisitor
from domain.visitors import Visitor
from tests.domain.scenario import NOW, Scenario, identity

NAMES = st.sampled_from(["Hall", "HALL", "Annex", "Straße", "STRASSE", "Garden"]).map(Text)
EMAILS = st.sampled_from(["ada@example.com", "Ada@Example.com", "grace@example.com"])
DAYS = st.integers(-3, 60).map(lambda days: timedelta(days=days))
STATUS = st.sampled_from(["open", "closed"])


class Commands(RuleBasedStateMachine):
    """Gives commands as they come; each is accepted or refused, and none may break a rule."""

    area_ids = Bundle("area_ids")
    event_ids = Bundle("event_ids")

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()

    def give(self, command: Any) -> Any:
        """The value of an accepted command; None for a refused one, which must change nothing."""
        before = {id: len(stream) for id, stream in self.scenario.streams.items()}
        try:
            self.scenario.when(command)
        except DomainError:
            assert {id: len(s) for id, s in self.scenario.streams.items()} == before
            return None
        return self.scenario.value

    @rule(target=area_ids, name=NAMES)
    def create_area(self, name: Text) -> Any:
        area = self.give(CreateArea(name=name))
        return multiple() if area is None else area.id

    @rule(area_id=area_ids, name=NAMES)
    def rename_area(self, area_id: UUID, name: Text) -> None:
        self.give(RenameArea(area_id=area_id, name=name))

    @rule(area_id=area_ids)
    def delete_area(self, area_id: UUID) -> None:
        self.give(DeleteArea(area_id=area_id))

    @rule(target=event_ids, area_id=st.none() | area_ids, starts=DAYS, ends=DAYS, status=STATUS)
    def create_event(
        self, area_id: UUID | None, starts: timedelta, ends: timedelta, status: Any
    ) -> Any:
        now = self.scenario.now
        command = CreateEvent(
            name=Text("Fair"),
            event_datetime=now + starts,
            registration_deadline=now + ends,
            area_id=area_id,
            status=status,
        )
        view = self.give(command)
        return multiple() if view is None else view.event.id

    @rule(event_id=event_ids, area_id=st.none() | area_ids, status=STATUS)
    def change_event(self, event_id: UUID, area_id: UUID | None, status: Any) -> None:
        self.give(ChangeEvent(event_id=event_id, area_id=area_id, status=status))

    @rule(event_id=consumes(event_ids))
    def delete_event(self, event_id: UUID) -> None:
        self.give(DeleteEvent(event_id=event_id))

    @rule(target=event_ids, number=st.integers(9000, 9003), area=st.none() | NAMES, starts=DAYS)
    def sync_event(self, number: int, area: Text | None, starts: timedelta) -> UUID:
        moment = NOW + starts
        self.give(
            SyncEvent(
                event_id=UUID(int=number),
                name=Text("Synced"),
                event_datetime=moment,
                registration_deadline=moment,
                area_name=area,
                status="open",
            )
        )
        return UUID(int=number)

    @rule(event_id=event_ids)
    def clean_up(self, event_id: UUID) -> None:
        self.give(CleanUpEvent(event_id=event_id, before=self.scenario.now))

    @rule(event_id=event_ids, email=EMAILS)
    def register(self, event_id: UUID, email: str) -> None:
        event = self.scenario.state(event_id)
        registered = self.give(
            RegisterVisitor(event_id=event_id, full_name=FullName("Ada"), email=Email.parse(email))
        )
        if registered is not None:
            assert isinstance(event, Event)
            assert event.exists
            assert event.is_open
            assert self.scenario.now <= event.details.registration_deadline

    @rule(days=st.integers(0, 10))
    def time_passes(self, days: int) -> None:
        self.scenario.now += timedelta(days=days)

    def states(self, kind: type[Any]) -> list[Any]:
        states = (self.scenario.state(id) for id in self.scenario.streams)
        return [state for state in states if isinstance(state, kind)]

    @invariant()
    def no_two_areas_have_the_same_name(self) -> None:
        names = Counter(Text(area.name).folded for area in self.states(Area) if area.exists)
        assert all(count == 1 for count in names.values())

    @invariant()
    def each_area_holds_its_name_and_nobody_else_does(self) -> None:
        held = {name.id: name.holder for name in self.states(AreaName) if name.holder}
        assert held == {
            identity.area_name(Text(area.name)): area.id
            for area in self.states(Area)
            if area.exists
        }

    @invariant()
    def each_area_counts_its_events_and_none_is_in_a_deleted_one(self) -> None:
        counts = Counter(e.details.area_id for e in self.states(Event) if e.exists)
        for area in self.states(Area):
            assert area.event_count == counts[area.id]
            assert area.exists or not counts[area.id]

    @invariant()
    def each_visitor_registered_once(self) -> None:
        for visitor in self.states(Visitor):
            stream = self.scenario.streams[visitor.id]
            assert [type(event) for event in stream] == [visitors.Registered]


Commands.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCommands = Commands.TestCase
