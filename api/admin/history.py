"""`/admin/history/`: the log of all events, and the state of anything at any moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.history_filter import asked_criteria, in_utc
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import changes_of, entries_of, facts_of, timeline_of
from api.admin.kit.history_phrases import types
from api.admin.kit.pages import page
from api.html.forms import Form, whole_number
from api.http.access import Permission
from api.http.reads import read
from api.http.requests import Request
from domain.audit.log import Criteria, read_page
from domain.audit.point_in_time import (
    LAST_POSITION,
    Moment,
    difference,
    parse_position_or_time,
    state_as_of,
)
from domain.audit.timeline import Step
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Invalid
from projections.lists.names import TABLES

PAGE_SIZE = 50

MAX_EXAMINED = 50_000
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
            return _log_page(request, Form(values, error.messages), status_code=422)
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
            steps = [Step(event=event) for event in found.events]
            return {
                "entries": await entries_of(connection, steps),
                "older": found.next_after,
                "is_full": len(found.events) == PAGE_SIZE,
            }

        content = await read(request, seen(request), query, TABLES)
        return _log_page(request, Form(values), **content)

    @get("/{aggregate_id:uuid}")
    async def aggregate(self, request: Request, aggregate_id: FromPath[UUID]) -> Response[str]:
        """The state at the requested moment; now, without one."""
        text = request.query_params.get("at", "").strip()[:64]
        try:
            moment = parse_position_or_time(in_utc(text)) if text else None
            form = Form({"at": text})
        except Invalid as error:
            moment, form = None, Form({"at": text}, {"at": str(error)})
        content = await read(
            request,
            seen(request),
            lambda connection: _as_of(connection, aggregate_id, moment),
            TABLES,
        )
        if moment is not None:
            last = content["state"] and content["state"].last_event.time
            form = Form({"at": _picked(last if isinstance(moment, int) else moment)})
        return page(
            request,
            "history/aggregate.html",
            status_code=422 if form.errors else 200,
            form=form,
            asked=moment is not None,
            **content,
        )


def _log_page(
    request: Request, form: Form, *, status_code: int = 200, **content: Any
) -> Response[str]:
    options = types()
    given = form.value("type")
    if given and given not in dict(options):
        options.append((given, given))
    empty: dict[str, Any] = {"entries": [], "older": None, "is_full": False}
    return page(
        request,
        "history/log.html",
        status_code=status_code,
        form=form,
        types=options,
        scan=MAX_EXAMINED,
        **{**empty, **content},
    )


async def _as_of(
    connection: AsyncConnection[Any], id: UUID, moment: Moment | None
) -> dict[str, Any]:
    """The content of the page. Raises NotFound."""
    timeline = await timeline_of(connection, id)
    if not timeline.entries:
        raise NotFound("history", id)
    state = await state_as_of(connection, id, LAST_POSITION if moment is None else moment)
    position = state.last_event.position if state else 0
    since = await difference(connection, id, position) if moment is not None and state else None
    later = await read_page(connection, Criteria(aggregate_id=id), after=position, limit=1)
    return {
        "subject": timeline.entries[0],
        "timeline": timeline,
        "state": state,
        "facts": await facts_of(connection, (state and state.state) or {}),
        "since": since,
        "changes": [] if since is None else await changes_of(connection, since.changes),
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
