"""Schemas that no struct gives a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from api import health
from api.event_visitors import StatusFilter
from api.visitor_import import Outcome
from domain.accounts import Role
from domain.api_keys import Scope
from domain.audit.entry import PersonalState
from domain.check_ins import BatchOutcome
from domain.core.languages import LANGUAGES
from domain.details import Availability, Status, WaitingList
from domain.feed.sources import TYPES
from domain.feed.visitor_data import Seated
from domain.questions import QUESTION_TYPES
from domain.visitors import CancelledBy, VisitorStatus
from projections.message_texts import Kind
from projections.outcomes import State as MessageState
from projections.status import State

_ENUMS: Mapping[str, Sequence[str]] = {
    "EventStatus": get_args(Status),
    "EventStatusFilter": (*get_args(Status), "any"),
    "QuestionType": QUESTION_TYPES,
    "WaitingList": get_args(WaitingList),
    "Availability": get_args(Availability),
    "Language": LANGUAGES,
    "VisitorStatus": [status for status in get_args(VisitorStatus) if status != "none"],
    "VisitorStatusFilter": get_args(get_args(StatusFilter)[0]),
    "SeatedStatus": get_args(Seated),
    "ConfirmedStatus": ("registered", "waiting"),
    "CancelledBy": get_args(CancelledBy),
    "DeletedBy": ("organizer", "cleanup"),
    "ItemType": TYPES,
    "ImportOutcome": get_args(Outcome),
    "ScanOutcome": get_args(BatchOutcome),
    "Role": get_args(Role),
    "Scope": get_args(Scope),
    "Order": ("asc", "desc"),
    "PersonalState": get_args(PersonalState),
    "MessageKind": get_args(Kind),
    "MessageState": get_args(MessageState),
    "CheckStatus": get_args(health.Status),
    "ProjectionState": get_args(State),
}
"""Name -> values. Each Literal with more than one value is named here."""

COMMON: Mapping[str, dict[str, Any]] = {
    **{name: {"type": "string", "enum": list(values)} for name, values in _ENUMS.items()},
    "Meta": {"type": "object", "additionalProperties": {"type": "string"}},
}
"""Schemas that many others refer to."""
