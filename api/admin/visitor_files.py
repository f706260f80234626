"""Pages to export the visitors of an event and to import visitors: a dry run, then the import.

Nothing of a file is kept here between the two: the page of the dry run has the file in its form.
The result is streamed into the page, portion by portion, so that a browser without scripts shows
the progress too.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from api.admin.kit.cookies import seen
from api.admin.kit.csrf import MULTIPART
from api.admin.kit.pages import fragment, page, streamed_page
from api.csv_files.reading import MalformedFile, Record
from api.html.forms import Form, parsed, sent_form, with_boxes
from api.http.access import Permission
from api.http.dispatch import origin_of
from api.http.failures import DatabaseUnavailable
from api.http.reads import read
from api.http.requests import Request
from api.visitor_files import FILE_LIMIT, executing, questions_asked, visitor_file
from api.visitor_import import ImportCounts, ImportedLine, Terms, counts_of, imported, visitors_in
from domain.core.availability import UNAVAILABLE
from domain.core.errors import DomainError, InvalidFields, NotFound, ProblemError, TryAgain
from projections.events import EventRow, get_event

BYTE_ORDER_MARK = "\ufeff"
"""Tells spreadsheets that a file is in UTF-8."""

OTHER_FIELDS = 64 * 1024
"""Bytes of a form besides its file, at most."""

SHOWN_LINES = 500


class VisitorFilePages(Controller):
    path = "/visitors"
    opt = {"access": Permission.CHANGE_VISITORS}  # noqa: RUF012  Litestar's own type for it

    @get("/export/{event_id:uuid}", opt={"access": Permission.READ_NAMES})
    async def export(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        return await visitor_file(
            request,
            event_id,
            status=None,
            at_least=seen(request),
            personal=True,
            mark=BYTE_ORDER_MARK,
        )

    @get("/import/{event_id:uuid}")
    async def form(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        event = await _event(request, event_id)
        return page(request, "visitors/import.html", event=event, form=Form({"notify": "on"}))

    @post(
        "/import/{event_id:uuid}",
        opt={"accepts": MULTIPART, "body_limit": FILE_LIMIT + OTHER_FIELDS},
    )
    async def try_out(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """A dry run of the chosen file."""
        return await _run(request, event_id, await _chosen_file(request), is_dry=True)

    @post(
        "/import/{event_id:uuid}/run",
        opt={"body_limit": FILE_LIMIT * 4 // 3 + OTHER_FIELDS},
    )
    async def run(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """Imports the file that the page of the dry run has."""
        sent = await sent_form(request)
        try:
            file = b64decode(sent.get("file", ""), altchars=b"-_", validate=True)
        except ValueError:
            file = b""
        return await _run(request, event_id, file, is_dry=False)


async def _chosen_file(request: Request) -> bytes:
    """Empty without one."""
    file = (await request.form()).get("file")
    if not isinstance(file, UploadFile):
        return b""
    try:
        return await file.read()
    finally:
        await file.close()


async def _run(request: Request, event_id: UUID, file: bytes, *, is_dry: bool) -> Response[Any]:
    event, sent = await _event(request, event_id), await sent_form(request)
    terms = parsed(Terms, with_boxes(sent, Terms))
    try:
        records = visitors_in(file)
    except (MalformedFile, InvalidFields) as error:
        wrong = "; ".join(f"{where} {what}" for where, what in error.messages.items())
        form = Form(sent, {"file": f"This file cannot be imported: {wrong}."})
        return page(request, "visitors/import.html", event=event, form=form, status_code=422)
    run = _ImportRun(request, event, records, terms, is_dry=is_dry)
    return streamed_page(
        request,
        "visitors/import_result.html",
        progress=run.progress(),
        result=lambda: {"result": run},
        event=event,
        is_dry=is_dry,
        form=Form(sent | {"file": b64encode(file, altchars=b"-_").decode()}),
    )


class _ImportRun:
    """An import, or a dry run, while its page is sent."""

    def __init__(
        self,
        request: Request,
        event: EventRow,
        records: Sequence[Record],
        terms: Terms,
        *,
        is_dry: bool,
    ) -> None:
        self._request = request
        self._event = event
        self._records = records
        self._terms = terms
        self._is_dry = is_dry
        self.lines: list[ImportedLine] = []
        self.stopped_by: ProblemError | None = None

    async def progress(self) -> AsyncIterator[str]:
        """How far it is, again and again."""
        records, event, terms = self._records, self._event, self._terms
        origin = origin_of(self._request)
        try:
            asked = await questions_asked(self._request, event.id)
            async with executing(self._request, dry_run=self._is_dry) as execute:
                async for portion in imported(records, event.id, asked, terms, execute, origin):
                    self.lines += portion.lines
                    yield fragment(
                        "visitors/import_progress.html", done=len(self.lines), all=len(records)
                    )
        except (DomainError, TryAgain) as error:
            self.stopped_by = error
        except UNAVAILABLE:
            self.stopped_by = DatabaseUnavailable()

    @property
    def counts(self) -> ImportCounts:
        return counts_of(self.lines)

    @property
    def shown_lines(self) -> list[ImportedLine]:
        """All lines of a short file; of a long one those that need a look."""
        if len(self.lines) <= SHOWN_LINES:
            return self.lines
        return [line for line in self.lines if line.outcome != "registered"][:SHOWN_LINES]


async def _event(request: Request, id: UUID) -> EventRow:
    """Raises NotFound."""
    row = await read(request, seen(request), lambda connection: get_event(connection, id))
    if row is None:
        raise NotFound("event", id)
    return row
