"""Whether the seats and the waiting line of each event are as history says."""

from __future__ import annotations

import psycopg

from domain.core.availability import BRING_BACK, TABLES_MISSING, missing_table
from events_face.commands.seats import IN_ORDER, found_in, in_words
from runtime.checks.finding import Finding, error, ok, warning
from runtime.errors import CommandFailed

CHECK = "seats"

TIMEOUT = 60
"""Seconds for reading all of history, about ten million events."""


def examine(database_url: str) -> Finding:
    try:
        found = found_in(database_url, timeout=TIMEOUT)
    except TABLES_MISSING as failure:
        return error(CHECK, missing_table(failure), BRING_BACK)
    except psycopg.errors.QueryCanceled:
        too_long = f"recounting takes more than {TIMEOUT} s"
        return warning(CHECK, too_long, "run `events-face seats check`")
    except CommandFailed as failure:
        return error(CHECK, str(failure), "run `events-face audit verify`")
    if found:
        return error(CHECK, in_words(found), "run `events-face seats recount`")
    return ok(CHECK, IN_ORDER)
