"""Positions that readers of the feed go on after."""

from __future__ import annotations

from typing import Any, cast

from psycopg import AsyncConnection

from domain.core.errors import ProblemError

LARGE_GAP = 1_000_000
"""Positions. Refused appends never leave out so many: only a restored backup does."""


class NotInHistory(ProblemError):
    """History does not have this position: was an older backup restored?

    The member `position` is the last one before it that history has: what was read after that did
    not happen here."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.members = {"position": position}


async def end_of_history(connection: AsyncConnection[Any], after: int) -> int:
    """The last position. Raises `NotInHistory` if `after` is beyond it, or in the gap that a
    restored backup leaves (`domain.history.store.skip_positions`)."""
    cursor = await connection.execute(
        """
        SELECT coalesce((SELECT max(notification_id) FROM history_events), 0),
               coalesce((SELECT max(notification_id) FROM history_events
                         WHERE notification_id <= %(after)b), 0),
               (SELECT min(notification_id) FROM history_events WHERE notification_id > %(after)b)
        """,
        {"after": after},
        binary=True,
    )
    end, before, following = cast("tuple[int, int, int | None]", await cursor.fetchone())
    if after > before and (following is None or following - before > LARGE_GAP):
        raise NotInHistory(before)
    return end
