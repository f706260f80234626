"""Which migrations the database has, and whether some are due."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from events_face.commands.schema import newer_in_words, schema_state
from runtime.checks.finding import Finding, error, ok, warning
from runtime.errors import CommandFailed
from runtime.schema.ledger import in_words

CHECK = "migrations"


def examine(connection: Connection[Any]) -> Finding:
    try:
        state = schema_state(connection)
    except CommandFailed as failure:
        return error(CHECK, str(failure), "then look again: this release may not fit the database")
    if state.newer:
        remedy = "install that release everywhere; roles of this one can go on meanwhile"
        return warning(CHECK, newer_in_words(state.newer), remedy)
    if state.due:
        due = ", ".join(map(str, state.due))
        return error(CHECK, f"{len(state.due)} are due: {due}", "run `events-face migrate`")
    return ok(CHECK, f"{in_words(state.applied)} were applied; none is due")
