"""What a service said of a message, as organizers may read it."""

from __future__ import annotations

import re

from domain.core.characters import CONTROL, INVISIBLE
from workers.delivery.sender import Outgoing

LONGEST = 300
"""Characters that are kept."""

HIDDEN = "****"
"""In place of the confirmation code and of the visitor's link, which only the visitor may see."""

_SPACES = re.compile(r"\s+")


def readable(said: str, outgoing: Outgoing) -> str:
    """One line without control characters and secrets of the message; empty if nothing is left."""
    for secret in (outgoing.link, outgoing.ticket, outgoing.message.facts.code):
        if secret:
            said = said.replace(secret, HIDDEN)
    text = _SPACES.sub(" ", INVISIBLE.sub("", CONTROL.sub(" ", said))).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
