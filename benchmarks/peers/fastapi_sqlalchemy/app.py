"""The calls: create an event, list the open ones, register for one."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import FastAPI, HTTPException, Query
from fastapi_sqlalchemy.models import Event, Outbox, Session, Visitor
from pydantic import AwareDatetime, BaseModel, EmailStr, Field
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

app = FastAPI(openapi_url=None)


class NewEvent(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=255)]
    event_datetime: AwareDatetime
    registration_deadline: AwareDatetime
    status: Literal["open", "closed"] = "open"
    capacity: Annotated[int, Field(ge=0)] | None = None


class EventView(BaseModel):
    id: UUID
    name: str
    area: str | None = None
    area_id: UUID | None
    status: str
    event_datetime: datetime
    registration_deadline: datetime


class EventPage(BaseModel):
    count: int
    results: list[EventView]


class Registration(BaseModel):
    full_name: Annotated[str, Field(min_length=1, max_length=128)]
    email: EmailStr


class Created(BaseModel):
    id: UUID


class Answer(BaseModel):
    data: Created
    meta: dict[str, str] = {}


@app.post("/api/events/", status_code=201)
async def create_event(new: NewEvent) -> Answer:
    async with Session.begin() as session:
        event = Event(id=uuid4(), **new.model_dump())
        session.add(event)
    return Answer(data=Created(id=event.id))


@app.get("/api/events/list")
async def list_events(
    name: str = "",
    order_by: Literal["asc", "desc"] = "desc",
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> EventPage:
    found = select(Event).where(Event.status == "open")
    if name:
        found = found.where(Event.name.icontains(name, autoescape=True))
    order = Event.event_datetime.asc() if order_by == "asc" else Event.event_datetime.desc()
    page = found.options(joinedload(Event.area)).order_by(order).limit(limit).offset(offset)
    async with Session() as session:
        count = await session.scalar(select(func.count()).select_from(found.subquery()))
        events = (await session.scalars(page)).all()
    return EventPage(count=count, results=[_view(event) for event in events])


@app.post("/api/events/{event_id}/register", status_code=201)
async def register(event_id: UUID, registration: Registration) -> Answer:
    try:
        async with Session.begin() as session:
            event = await session.get(Event, event_id)
            if event is None:
                raise HTTPException(404, "There is no such event")
            if event.status != "open":
                raise HTTPException(409, "The event is closed for registration")
            if event.registration_deadline < datetime.now(UTC):
                raise HTTPException(409, "The registration deadline has passed")
            if event.capacity is not None:
                await session.refresh(event, ["taken"], with_for_update=True)
                if event.taken >= event.capacity:
                    raise HTTPException(409, "No seat of the event is free")
                event.taken += 1
            visitor = Visitor(
                id=uuid4(),
                event_id=event.id,
                full_name=registration.full_name,
                email=registration.email.lower(),
            )
            session.add(visitor)
            await session.flush()
            code = f"{secrets.randbelow(10_000):04}"
            session.add(
                Outbox(
                    id=uuid4(),
                    visitor_id=visitor.id,
                    email=visitor.email,
                    message=f"Your confirmation code is {code}",
                )
            )
    except IntegrityError:
        raise HTTPException(409, "This email is registered for the event already") from None
    return Answer(data=Created(id=visitor.id), meta={"message": "Successful registration"})


def _view(event: Event) -> EventView:
    return EventView(
        id=event.id,
        name=event.name,
        area=event.area.name if event.area else None,
        area_id=event.area_id,
        status=event.status,
        event_datetime=event.event_datetime,
        registration_deadline=event.registration_deadline,
    )
