"""What people type: read into commands, and given back with what is wrong beside each field."""

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
    """A form as it stands: its values by field, and what is wrong. Field "" is the whole form."""

    values: Mapping[str, str] = {}
    errors: Mapping[str, str] = {}

    def value(self, field: str) -> str:
        return self.values.get(field, "")

    def error(self, field: str) -> str:
        return self.errors.get(field, "")


async def sent_form(request: Request) -> dict[str, str]:
    """Its text fields; of several with one name the last."""
    return {key: value for key, value in (await request.form()).items() if isinstance(value, str)}


def parsed(kind: type[T], values: Mapping[str, object]) -> T:
    """The struct that the values make, each read by the type of its field. Raises InvalidFields."""
    read: T = _reader(kind).read_form(values)
    return read


def whole_number(text: str) -> int | None:
    """None for what is none; for one of more than 18 digits as well, which is none of ours."""
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else None


def seen_version(values: Mapping[str, str]) -> int:
    """The version that a form has shown; none that anything has, where it does not say."""
    version = whole_number(values.get("version", ""))
    return NEVER if version is None else version


def refused(values: Mapping[str, str], error: DomainError, field: str = "") -> Form:
    """The form given back; `field` is the one that a refused rule is about."""
    if isinstance(error, InvalidFields):
        return Form(values, error.messages)
    return Form(values, {field: f"{error}."})


@cache
def _reader(kind: type[Any]) -> Reader[Any]:
    return Reader(kind)
