"""What the OpenAPI document shows for each body and answer."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec

from api.http.examples import EXAMPLES
from api.http.responses import Answer, Listing, Pagination


class MissingExample(Exception):
    """Put `@example(...)` of api.http.examples above the struct"""


def body(kind: type) -> dict[str, Any]:
    """What a client sends, to be read into the struct."""
    if kind not in EXAMPLES:
        raise MissingExample(f"{MissingExample.__doc__}: {kind.__module__}.{kind.__qualname__}")
    return EXAMPLES[kind]


def answer(annotation: Any) -> Any:
    """An answer of that type: `Answer[...]`, `Listing[...]` or a struct without an envelope."""
    envelope, of = get_origin(annotation), get_args(annotation)
    if envelope is Answer:
        return msgspec.to_builtins(Answer(data=_data(of[0])))
    if envelope is Listing:
        pagination = Pagination(offset=0, limit=10, total=1)
        return msgspec.to_builtins(Listing(data=[_data(of[0])], pagination=pagination))
    return msgspec.to_builtins(_data(annotation))


def _data(kind: Any) -> Any:
    if get_origin(kind) is list:
        return [_data(*get_args(kind))]
    return None if kind is type(None) else msgspec.convert(body(kind), kind)
