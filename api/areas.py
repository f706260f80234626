"""`/api/events/areas`: the venues of events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType
from psycopg import AsyncConnection

from api.http.access import Permission
from api.http.dispatch import answered, expected_version
from api.http.examples import AREA_ID, example
from api.http.reads import (
    Limit,
    MinEventPosition,
    NameFragment,
    Offset,
    read,
    read_listing,
    unless_known,
)
from api.http.requests import Request
from api.http.responses import Answer, Listing, Pagination, created, json_response, no_content
from domain import areas as domain_areas
from domain.areas import AreaInUse, AreaNameTaken, CreateArea, DeleteArea, RenameArea
from domain.core.errors import NotFound
from domain.core.values import StoredText
from projections import areas
from projections.lists.cursor import Page

example(name="Great Hall")(CreateArea)


@example(id=AREA_ID, name="Great Hall")
class NewArea(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str


@example(id=AREA_ID, name="Great Hall", event_count=3)
class Area(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str
    event_count: int


@example(name="Small Hall")
class AreaChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that are left out stay unchanged."""

    name: StoredText | UnsetType = UNSET


class AreaCalls(Controller):
    path = "/api/events/areas"
    tags = ("areas",)
    opt = {"access": Permission.CHANGE_AREAS}  # noqa: RUF012  Litestar's own type for it

    @post("/", summary="Create an area", opt={"problems": [AreaNameTaken], "versioned": True})
    async def create_area(
        self, request: Request, data: JSONBody[CreateArea]
    ) -> Response[Answer[NewArea]]:
        """Names are unique regardless of case. Leading and trailing space is removed."""

        def respond(area: domain_areas.Area) -> Response[Any]:
            content = Answer(data=NewArea(id=area.id, name=area.name))
            return created(content, f"{self.path}/{area.id}", version=area.version)

        return await answered(request, data, respond)

    @get("/", summary="List areas by name", opt={"access": Permission.READ_AREAS})
    async def list_areas(
        self,
        request: Request,
        name: NameFragment = "",
        limit: Limit = 10,
        offset: Offset = 0,
        min_event_position: MinEventPosition = 0,
    ) -> Response[Listing[Area]]:
        """Areas whose name contains `name`, or all areas, in pages."""

        async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], Listing[Area]]:
            page = await areas.list_areas(
                connection, name_fragment=name, limit=limit, offset=offset
            )
            pagination = Pagination(offset=offset, limit=limit, total=page.total)
            return page, Listing(data=[_area(r) for r in page.rows], pagination=pagination)

        return await read_listing(request, min_event_position, areas.list_version, listing)

    @get("/{area_id:uuid}", summary="Read one area", opt={"access": Permission.READ_AREAS})
    async def get_area(
        self, request: Request, area_id: FromPath[UUID], min_event_position: MinEventPosition = 0
    ) -> Response[Answer[Area]]:
        """With the number of its events."""
        row = await read(
            request, min_event_position, lambda connection: areas.get_area(connection, area_id)
        )
        if row is None:
            raise NotFound("area", area_id)
        return unless_known(request, json_response(Answer(data=_area(row)), version=row.version))

    @patch(
        "/{area_id:uuid}",
        summary="Rename an area",
        opt={"problems": [AreaNameTaken], "versioned": True},
    )
    async def rename_area(
        self, request: Request, area_id: FromPath[UUID], data: JSONBody[AreaChanges]
    ) -> Response[Answer[Area]]:
        """Its events show the new name."""
        command = RenameArea(
            area_id=area_id, name=data.name or None, expected_version=expected_version(request)
        )
        return await answered(
            request,
            command,
            lambda area: json_response(Answer(data=_area(area)), version=area.version),
        )

    @delete(
        "/{area_id:uuid}",
        summary="Delete an area",
        opt={"problems": [AreaInUse], "versioned": True},
    )
    async def delete_area(self, request: Request, area_id: FromPath[UUID]) -> Response[None]:
        """Refused while the area has events."""
        command = DeleteArea(area_id=area_id, expected_version=expected_version(request))
        return await answered(request, command, no_content)


def _area(source: areas.AreaRow | domain_areas.Area) -> Area:
    return Area(id=source.id, name=source.name, event_count=source.event_count)
