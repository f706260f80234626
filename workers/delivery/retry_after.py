"""The header `Retry-After`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_to_wait(header: str, maximum: float) -> float:
    """From a number of seconds or an HTTP date, `maximum` at most; 0 when the header is neither."""
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,300}", text):
        return min(float(text), maximum)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), maximum)
