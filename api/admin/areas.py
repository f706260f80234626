"""`/admin/areas/`: the venues of events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.conflicts import last_change, newest_position
from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.admin.kit.paging import Pages, page_number
from api.html.forms import Form, parsed, refused, seen_version, sent_form
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.areas import AreaInUse, AreaNameTaken, CreateArea, DeleteArea, RenameArea
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound
from projections import areas

AREAS = "/admin/areas/"
PAGE_SIZE = 50


class AreaPages(Controller):
    path = "/areas"
    opt = {"access": Permission.CHANGE_AREAS}  # noqa: RUF012  Litestar's own type for it

    @get("/", opt={"access": Permission.READ_AREAS})
    async def list_areas(self, request: Request) -> Response[str]:
        number = page_number(request)
        name = request.query_params.get("name", "")[:255].replace("\0", "")

        async def query(connection: AsyncConnection[Any]) -> Any:
            return await areas.list_areas(
                connection,
                name_fragment=name,
                limit=PAGE_SIZE,
                offset=(number - 1) * PAGE_SIZE,
            )

        found = await read(request, seen(request), query)
        pages = Pages(number, PAGE_SIZE, found.total)
        return page(request, "areas/list.html", areas=found.rows, pages=pages, name=name)

    @get("/new")
    async def new_area(self, request: Request) -> Response[str]:
        return page(request, "areas/form.html", area=None, form=Form())

    @post("/new")
    async def create_area(self, request: Request) -> Response[Any]:
        sent = await sent_form(request)
        try:
            done = await execute(request, parsed(CreateArea, sent))
        except (InvalidFields, AreaNameTaken) as error:
            form = refused(sent, error, "name")
            return page(request, "areas/form.html", status_code=422, area=None, form=form)
        return see(
            request,
            AREAS,
            position=done.position,
            notice=f"The area “{done.value.name}” was created.",
        )

    @get("/{area_id:uuid}", opt={"access": Permission.READ_AREAS})
    async def area(self, request: Request, area_id: FromPath[UUID]) -> Response[str]:
        row = await _row(request, area_id, seen(request))
        return await _shown(request, row, Form({"name": row.name, "version": str(row.version)}))

    @post("/{area_id:uuid}")
    async def rename_area(self, request: Request, area_id: FromPath[UUID]) -> Response[Any]:
        """If someone else renamed the area in the meantime, the form shows the new name."""
        sent = await sent_form(request)
        try:
            name = parsed(CreateArea, sent).name
            version = seen_version(sent)
            command = RenameArea(area_id=area_id, name=name, expected_version=version)
            done = await execute(request, command)
        except (InvalidFields, AreaNameTaken) as error:
            row = await _row(request, area_id, seen(request))
            return await _shown(request, row, refused(sent, error, "name"), status_code=422)
        except ChangedMeanwhile:
            row = await _row(request, area_id, await newest_position(request))
            change = await last_change(request, area_id)
            now = f"Its name is now “{row.name}”; the last change: {change.who} {change.what}."
            form = Form(
                {**sent, "version": str(row.version)},
                {"": f"Someone else changed this area in the meantime. {now}"},
            )
            return await _shown(request, row, form, status_code=412)
        notice = f"The area is now called “{done.value.name}”."
        return see(request, AREAS, position=done.position, notice=notice)

    @get("/{area_id:uuid}/delete")
    async def confirm_deletion(self, request: Request, area_id: FromPath[UUID]) -> Response[str]:
        row = await _row(request, area_id, seen(request))
        return page(request, "areas/delete.html", area=row, form=Form())

    @post("/{area_id:uuid}/delete")
    async def delete_area(self, request: Request, area_id: FromPath[UUID]) -> Response[Any]:
        try:
            done = await execute(request, DeleteArea(area_id=area_id))
        except AreaInUse as error:
            row = await _row(request, area_id, seen(request))
            form = refused({}, error)
            return page(request, "areas/delete.html", status_code=409, area=row, form=form)
        return see(request, AREAS, position=done.position, notice="The area was deleted.")


async def _shown(
    request: Request, row: areas.AreaRow, form: Form, status_code: int = 200
) -> Response[str]:
    timeline = await read(
        request, seen(request), lambda connection: timeline_for(request, connection, row.id)
    )
    return page(
        request,
        "areas/form.html",
        status_code=status_code,
        area=row,
        form=form,
        timeline=timeline,
    )


async def _row(request: Request, id: UUID, at_least: int) -> areas.AreaRow:
    row = await read(request, at_least, lambda connection: areas.get_area(connection, id))
    if row is None:
        raise NotFound("area", id)
    return row
