"""`/admin/history/`: the log of all events, and the state of anything at any moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.history_filter import (
    IN_UTC,
    asked_criteria,
    asked_zone,
    has_filter,
    shown_in_utc,
    with_zone,
)
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import (
    changes_of,
    entries_of,
    facts_of,
    folded,
    ids_in,
    timeline_of,
)
from api.admin.kit.history_names import Names, for_reader, names_for_all, with_visitors
from api.admin.kit.history_phrases import types
from api.admin.kit.history_values import Words, flattened, ids_of
from api.admin.kit.pages import page
from api.html.forms import Form, whole_number
from api.http.access import Permission
from api.http.reads import read
from api.http.requests import Request
from domain.audit.entry import LoggedEvent
from domain.audit.log import Criteria, read_page
from domain.audit.point_in_time import (
    LAST_POSITION,
    Moment,
    difference,
    parse_position_or_time,
    state_as_of,
)
from domain.audit.timeline import steps_of
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Invalid
from domain.privacy.keys import InstallationKeys
from projections.lists.names import TABLES

PAGE_SIZE = 50

WITH_STATES = {"Account", "ApiKey", "Area", "Event", "Webhook"}
"""Aggregates whose changed fields are shown as they were before."""

MAX_EXAMINED = 20_000
"""Events of history that are examined for one page of the log."""


class HistoryPages(Controller):
    path = "/history"
    opt = {"access": Permission.READ_HISTORY}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def log(self, request: Request) -> Response[str]:
        """Newest first. With filters that match little, a page can be short or empty, because the
        number of events examined for one page is limited."""
        values = dict(request.query_params)
        try:
            criteria = await asked_criteria(request)
        except InvalidFields as error:
            return _log_page(
                request, Form(values, error.messages), status_code=422, zone=asked_zone(request)
            )
        older_than = whole_number(values.get("older_than", ""))

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            found = await read_page(
                connection,
                criteria,
                limit=PAGE_SIZE,
                after=older_than,
                newest_first=True,
                scan=MAX_EXAMINED,
            )
            changed = {event.aggregate_id for event in found.events if _has_states(event)}
            steps = await steps_of(connection, found.events, changed)
            ids = ids_in(steps)
            names = await names_for_all(connection, ids)
            return {
                "steps": steps,
                "names": await with_visitors(connection, request.connections.keys, names, ids),
                "older": found.next_after,
                "is_full": len(found.events) == PAGE_SIZE,
            }

        content = await read(request, seen(request), query, [*TABLES, "visitors"])
        steps, names = content.pop("steps"), content.pop("names")
        entries = entries_of(steps, await for_reader(request, names))
        return _log_page(
            request,
            Form(shown_in_utc(values, asked_zone(request))),
            groups=folded(entries),
            by_people=criteria.by_people,
            has_visitors=bool(names.visitors),
            **content,
        )

    @get("/{aggregate_id:uuid}")
    async def aggregate(self, request: Request, aggregate_id: FromPath[UUID]) -> Response[str]:
        """The state at the requested moment; now, without one."""
        text, zone = request.query_params.get("at", "").strip()[:64], asked_zone(request)
        try:
            moment = parse_position_or_time(with_zone(text, zone)) if text else None
            form, zone = Form({"at": text}), IN_UTC
        except Invalid as error:
            moment, form = None, Form({"at": text}, {"at": str(error)})
        keys = request.connections.keys
        content = await read(
            request,
            seen(request),
            lambda connection: _as_of(connection, keys, aggregate_id, moment),
            TABLES,
        )
        content["name"] = await _name(request, aggregate_id, content.pop("names"))
        if moment is not None:
            last = content["state"] and content["state"].last_event.time
            form = Form({"at": _picked(last if isinstance(moment, int) else moment)})
        return page(
            request,
            "history/aggregate.html",
            status_code=422 if form.errors else 200,
            form=form,
            asked=moment is not None,
            zone=zone,
            **content,
        )


def _log_page(
    request: Request, form: Form, *, status_code: int = 200, **content: Any
) -> Response[str]:
    options = types()
    given = form.value("type")
    if given and given not in dict(options):
        options.append((given, given))
    empty: dict[str, Any] = {
        "zone": UTC,
        "groups": [],
        "older": None,
        "is_full": False,
        "by_people": True,
    }
    return page(
        request,
        "history/log.html",
        status_code=status_code,
        form=form,
        types=options,
        scan=MAX_EXAMINED,
        has_filter=has_filter(request),
        **{"has_visitors": False, "zone": IN_UTC, **empty, **content},
    )


def _has_states(event: LoggedEvent) -> bool:
    """Whether the page shows what it was before: of visitors only their events say what changed."""
    return event.aggregate_version > 1 and event.aggregate_type in WITH_STATES


async def _name(request: Request, id: UUID, names: Names) -> str | None:
    """As the reader may see it."""
    return (await for_reader(request, names, about=id)).all.get(id)


async def _as_of(
    connection: AsyncConnection[Any], keys: InstallationKeys, id: UUID, moment: Moment | None
) -> dict[str, Any]:
    """The content of the page. Raises NotFound."""
    timeline = await timeline_of(connection, id)
    if not timeline.entries:
        raise NotFound("history", id)
    state = await state_as_of(connection, id, LAST_POSITION if moment is None else moment)
    position = state.last_event.position if state else 0
    since = await difference(connection, id, position) if moment is not None and state else None
    later = await read_page(connection, Criteria(aggregate_id=id), after=position, limit=1)
    shown = (state and state.state) or {}
    changes = since.changes if since else []
    values = [*flattened(shown).values(), *(v for c in changes for v in (c.old, c.new))]
    names = await names_for_all(connection, {id, *ids_of(values)})
    words = Words(names.all, names.zones.get(id))
    return {
        "names": await with_visitors(connection, keys, names, {id}),
        "subject": timeline.entries[0],
        "timeline": timeline,
        "state": state,
        "facts": facts_of(shown, words),
        "since": since,
        "changes": changes_of(changes, words),
        "previous": position - 1 if state and state.version > 1 else None,
        "next": later.events[0].position if later.events else None,
    }


def _picked(time: datetime | None) -> str:
    """The value of a `datetime-local` input, rounded so that the event at that time is included."""
    if time is None:
        return ""
    if time.microsecond and time < _LAST_SECOND:
        time += timedelta(seconds=1)
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


_LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC)
