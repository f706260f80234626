"""An endpoint for webhooks, to try them and to begin with: `python3 docs/receiver.py PORT SECRET`.

It verifies each request, prints each item once, and answers before any work is done.
"""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OLDEST = 300
"""Seconds that a request may be old."""

PORT, SECRET = int(sys.argv[1]), sys.argv[2]

seen: set[str] = set()
"""The ids of items that were taken. Keep yours in a database, beside what you make of the items."""


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_genuine(SECRET, headers, body):
            self.send_error(401)
            return
        if abs(time.time() - int(headers["webhook-timestamp"])) > OLDEST:
            self.send_error(400)
            return
        self.send_response(204)
        self.end_headers()
        if headers["webhook-id"] not in seen:
            seen.add(headers["webhook-id"])
            item = json.loads(body)
            print(item["position"], item["type"], item["data"], flush=True)

    def log_message(self, *_: object) -> None:
        """Only items are printed."""


ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
