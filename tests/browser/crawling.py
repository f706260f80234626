"""The kinds of pages that the panel has."""

from __future__ import annotations

import re

from tests.api.admin.panel import Panel
from tests.api.serving import PASSWORD, Api

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

UNLINKED = [
    "/admin/nowhere",
    "/admin/events/?name=nothing+like+this",
    "/admin/events/?date=2099-05&order=name",
    "/admin/areas/?name=nothing+like+this",
    "/admin/events/?page=99",
]
"""Pages in states that no link leads to."""


async def one_of_each_kind(site: Api) -> list[str]:
    """Their addresses, found by following links from the first page."""
    site.http.follow_redirects = True
    panel = Panel(site.http)
    await panel.sign_in("admin", PASSWORD)
    found, waiting = dict[str, str](), ["/admin/"]
    while waiting:
        address = waiting.pop(0)
        path = address.partition("?")[0].partition("#")[0].rstrip("/")
        kind = ID.sub("ID", path)
        if kind not in found and path.startswith("/admin"):
            found[kind] = path + "/"
            waiting += (await panel.open(path + "/")).links.values()
    await panel.submit("/admin/sign-out")
    return [*found.values(), *UNLINKED]
