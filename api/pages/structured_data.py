"""What search engines read of an event: schema.org, as JSON-LD."""

from __future__ import annotations

from typing import Any

from api.html.times import when
from projections.events import EventRow

SCHEMA = "https://schema.org"

MAX_DESCRIPTION = 1_000


def event_data(event: EventRow, base: str | None) -> dict[str, Any]:
    """`base` is the address of this installation; None leaves links out."""
    period = when(event)
    status = "EventCancelled" if event.cancelled else "EventScheduled"
    data: dict[str, Any] = {
        "@context": SCHEMA,
        "@type": "Event",
        "name": event.name,
        "startDate": period.begins.isoformat(),
        "eventStatus": f"{SCHEMA}/{status}",
    }
    if period.ends:
        data["endDate"] = period.ends.isoformat()
    if event.description:
        data["description"] = event.description[:MAX_DESCRIPTION]
    if event.area:
        data["location"] = {"@type": "Place", "name": event.area, "address": event.area}
    if base:
        url = f"{base}/events/{event.id}"
        sold_out = event.availability != "open"
        data["url"] = url
        data["offers"] = {
            "@type": "Offer",
            "url": url,
            "availability": f"{SCHEMA}/{'SoldOut' if sold_out else 'InStock'}",
            "availabilityEnds": event.registration_deadline.isoformat(),
        }
    return data
