"""What parameters must be, and the messages of others; those of Litestar name Python types."""

from __future__ import annotations

import re
import types
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, PathParameter
from litestar.typing import FieldDefinition

from api.http.failures import InvalidParameters
from api.http.fields import one_of
from domain.core.errors import InvalidFields
from domain.core.values import Invalid
from domain.feed.sources import TYPES

T = TypeVar("T")

UUID_OR_NOTHING = r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
EVENT_TYPE = r"^[A-Za-z.]{0,64}$"
_FEED_TYPE = "|".join(map(re.escape, TYPES))
FEED_TYPES = rf"^(({_FEED_TYPE})(,({_FEED_TYPE}))*)?$"
ACTOR = r"^[A-Za-z0-9:._-]{0,64}$"
TEXT = r"^[^\x00\ufffd]*$"
"""Bytes that are not UTF-8 arrive as U+FFFD."""

_PATTERNS = {
    UUID_OR_NOTHING: "must be a UUID",
    EVENT_TYPE: "must be a type of event, such as Event.Closed, or of aggregate, such as Event",
    FEED_TYPES: "must be types of items, separated by commas: " + ", ".join(TYPES),
    ACTOR: "must be the id of an account, anonymous, or system: and a role",
    TEXT: "must be text in UTF-8 without the character U+0000",
}
"""Pattern of a parameter -> its message."""

MAX_NAMED = 100
"""Unknown parameters that one response names, at most."""

_WHOLE_NUMBER = "must be a whole number"


async def refuse_unknown_and_repeated(request: Request[Any, Any, Any]) -> None:
    """The query has parameters that the call knows, each with one value. Pages and probes ignore
    parameters that they do not know, and each call those that begin with `_`: clients add them to
    get around caches. Raises InvalidParameters."""
    if not request.scope["query_string"]:
        return
    known = _names_in_query(request.route_handler)
    given = Counter(name for name, _ in request.query_params.multi_items())
    unknown = [n for n in given if n not in known and n[:1] != "_"] if _is_call(request) else []
    repeated = [name for name in given if given[name] > 1 and name in known]
    if unknown or repeated:
        raise InvalidParameters(
            **dict.fromkeys(repeated, "is there more than once"),
            **dict.fromkeys(unknown[:MAX_NAMED], "is not a parameter of this call"),
        )


def _is_call(request: Request[Any, Any, Any]) -> bool:
    in_document: bool = request.route_handler.include_in_schema is not False
    return in_document and request.scope["path"].startswith("/api/")


@cache
def _names_in_query(handler: BaseRouteHandler) -> frozenset[str]:
    """The public names of the parameters in the query."""
    parameters = handler.parsed_fn_signature.parameters
    return frozenset(
        name_of(parameter, name)
        for name, parameter in parameters.items()
        if name not in {"self", "request", "data"}
        and not isinstance(parameter.kwarg_definition, PathParameter | HeaderParameter)
    )


def name_of(parameter: FieldDefinition, argument: str) -> str:
    """The parameter's public name; the handler's argument may have another."""
    definition = parameter.kwarg_definition
    return (isinstance(definition, ParameterKwarg) and definition.name) or argument


def what_is_wrong(parameter: FieldDefinition) -> str:
    """The message for an invalid value of the parameter."""
    limits = parameter.kwarg_definition
    kind = _without_none(parameter.annotation)
    if get_origin(kind) is Literal:
        return one_of(get_args(kind))
    if kind is bool:
        return one_of(["true", "false"])
    if kind is UUID:
        return "must be a UUID"
    if not isinstance(limits, ParameterKwarg):
        return "is not valid"
    if kind is int:
        return _whole_number(limits.ge, limits.le)
    most = limits.max_length and f"must have at most {limits.max_length} characters"
    pattern = limits.pattern and _PATTERNS[limits.pattern]
    return " and ".join(rule for rule in (most, pattern) if rule) or "is not valid"


def _whole_number(lowest: float | None, highest: float | None) -> str:
    if lowest == highest is not None:
        return f"must be {lowest}"
    if highest is None:
        return _WHOLE_NUMBER if lowest is None else f"{_WHOLE_NUMBER} of at least {lowest}"
    return f"{_WHOLE_NUMBER} from {lowest or 0} to {highest}"


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        (annotation,) = set(get_args(annotation)) - {types.NoneType}
    return annotation


def parsed(**given: tuple[str, str, Callable[[str], T]]) -> dict[str, T]:
    """The parsed values of the parameters that were given; `given` has the name, the text and the
    parser of each parameter by argument name. Raises InvalidFields naming every wrong parameter."""
    values: dict[str, T] = {}
    wrong: dict[str, str] = {}
    for argument, (parameter, text, parse) in given.items():
        if text:
            try:
                values[argument] = parse(text)
            except Invalid as error:
                wrong[parameter] = str(error)
    if wrong:
        raise InvalidFields(**wrong)
    return values
