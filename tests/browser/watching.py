"""What no page may ever do, wherever a test leads it."""

from __future__ import annotations

from playwright.async_api import ConsoleMessage, Dialog, Error, Page, Request

ANSWERED_BY_US = "Failed to load resource: the server responded with a status of 4"
"""How a browser notes an answer that says what was wrong: our pages show it."""

NO_NETWORK = "Failed to load resource: net::ERR_INTERNET_DISCONNECTED"


class Watch:
    """Notes errors, dialogs, and requests to anywhere but the panel's own origin."""

    def __init__(self, page: Page, origin: str, *, may_be_offline: bool = False) -> None:
        self.complaints: list[str] = []
        self.origin = origin.rstrip("/") + "/"
        self._expected = (ANSWERED_BY_US, NO_NETWORK) if may_be_offline else (ANSWERED_BY_US,)
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(self._expected):
            self.complaints.append(f"{message.type}: {message.text}")

    def _error(self, error: Error) -> None:
        self.complaints.append(f"uncaught: {error}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog says {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.complaints.append(f"asked for {request.url}")
