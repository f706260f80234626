"""The panel's routes, all under `/admin`, and their shared settings."""

from __future__ import annotations

from litestar import Router

from api.admin.accounts import AccountPages
from api.admin.areas import AreaPages
from api.admin.dashboard.page import dashboard, live_dashboard
from api.admin.door import DoorPages
from api.admin.event_cancellation import EventCancellationPages
from api.admin.event_tabs import EventTabs
from api.admin.events import EventPages
from api.admin.history import HistoryPages
from api.admin.invitations import InvitationPages
from api.admin.keys import KeyPages
from api.admin.notifications import NotificationPages
from api.admin.password import change_password, password_page
from api.admin.password_link import PasswordLinkPages
from api.admin.questions import QuestionPages
from api.admin.rebuilds import RebuildPages
from api.admin.retention import retention
from api.admin.seals import SealPages
from api.admin.selected_events import SelectedEvents
from api.admin.sign_in import before_each_request, sign_in, sign_in_page, sign_out
from api.admin.syncs import SyncPages
from api.admin.system import live_system, system
from api.admin.visitor_changes import VisitorChangePages
from api.admin.visitor_files import VisitorFilePages
from api.admin.visitors import VisitorPages
from api.admin.webhooks import WebhookPages
from api.http.access import COOKIE
from api.http.hosts import Check


def panel(check: Check) -> Router:
    """The whole panel; `check` is the one that every request to the API passes."""
    return Router(
        "/admin",
        route_handlers=[
            dashboard,
            live_dashboard(),
            system,
            live_system(),
            retention,
            sign_in_page,
            sign_in,
            sign_out,
            AreaPages,
            EventPages,
            EventCancellationPages,
            SelectedEvents,
            EventTabs,
            QuestionPages,
            DoorPages,
            VisitorPages,
            VisitorChangePages,
            VisitorFilePages,
            NotificationPages,
            SyncPages,
            WebhookPages,
            HistoryPages,
            AccountPages,
            InvitationPages,
            KeyPages,
            RebuildPages,
            SealPages,
            password_page,
            change_password,
            PasswordLinkPages,
        ],
        opt={"signed_in_by": COOKIE},
        before_request=before_each_request(check),
        include_in_schema=False,
    )


def is_of_panel(path: str) -> bool:
    """Whether the path belongs to the panel, even if no page has it."""
    return path == "/admin" or path.startswith("/admin/")
