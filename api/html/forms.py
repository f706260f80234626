"""Forms: parsed into structs, and shown again with an error beside each wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from api.http.bodies import Reader
from api.http.dispatch import NEVER
from api.http.requests import Request
from domain.core.errors import DomainError, InvalidFields

T = TypeVar("T", bound=msgspec.Struct)


class Form(msgspec.Struct, frozen=True):
    """A form's values and errors by field; the field "" means the whole form."""

    values: Mapping[str, str] = {}
    errors: Mapping[str, str] = {}

    def value(self, field: str) -> str:
        return self.values.get(field, "")

    def error(self, field: str) -> str:
        return self.errors.get(field, "")


async def sent_form(request: Request) -> dict[str, str]:
    """Its text fields; of several fields with one name, the last. Browsers send lines with CRLF."""
    fields = (await request.form()).items()
    return {key: text.replace("\r\n", "\n") for key, text in fields if isinstance(text, str)}


def parsed(kind: type[T], values: Mapping[str, object]) -> T:
    """The struct, with each value parsed by the type of its field. Raises InvalidFields."""
    read: T = _reader(kind).read_form(values)
    return read


def with_boxes(sent: dict[str, str], kind: type[msgspec.Struct]) -> dict[str, object]:
    """A box that is not ticked is not in the form."""
    fields = msgspec.structs.fields(kind)
    boxes = {field.name: field.name in sent for field in fields if field.type is bool}
    return {**sent, **boxes}


def whole_number(text: str) -> int | None:
    """None unless the text is a whole number of at most 18 digits."""
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else None


def seen_version(values: Mapping[str, str]) -> int:
    """The version that the form has shown; a version that never matches if the form has none."""
    version = whole_number(values.get("version", ""))
    return NEVER if version is None else version


def refused(values: Mapping[str, str], error: DomainError, field: str = "") -> Form:
    """The form with its errors; `field` is the field that a refused rule is about."""
    if isinstance(error, InvalidFields):
        return Form(values, error.messages)
    return Form(values, {field: f"{error}."})


@cache
def _reader(kind: type[Any]) -> Reader[Any]:
    return Reader(kind)
