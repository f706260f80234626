"""The same tables as the other peer's. Run as a module it creates them."""

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import DateTime, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

CONNECTIONS = 16  # a process; asyncpg finds the server in PGHOST, PGPORT, PGUSER and PGDATABASE
PATIENCE = 300  # seconds; of 256 waiting for a connection, some wait longer than the usual 30

engine = create_async_engine(
    "postgresql+asyncpg://", pool_size=CONNECTIONS, max_overflow=0, pool_timeout=PATIENCE
)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Model(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class EventArea(Model):
    __tablename__ = "event_areas"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)


class Event(Model):
    __tablename__ = "events"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    area_id: Mapped[UUID | None] = mapped_column(ForeignKey(EventArea.id))
    area: Mapped[EventArea | None] = relationship()
    status: Mapped[str] = mapped_column(default="open")
    event_datetime: Mapped[datetime]
    registration_deadline: Mapped[datetime]
    capacity: Mapped[int | None]
    taken: Mapped[int] = mapped_column(default=0)  # seats; only counted with a capacity


Index("open_events", Event.event_datetime, postgresql_where=Event.status == "open")


class Visitor(Model):
    __tablename__ = "visitors"
    __table_args__ = (UniqueConstraint("event_id", "email"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    event_id: Mapped[UUID] = mapped_column(ForeignKey(Event.id))
    full_name: Mapped[str]
    email: Mapped[str]
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Outbox(Model):
    __tablename__ = "outbox"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    visitor_id: Mapped[UUID] = mapped_column(ForeignKey(Visitor.id), index=True)
    email: Mapped[str]
    message: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]


Index("unsent", Outbox.created_at, postgresql_where=Outbox.sent_at.is_(None))


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Model.metadata.create_all)


if __name__ == "__main__":
    asyncio.run(create_tables())
