"""A server that accepts connections and sends nothing."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def listener(encryption: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port."""

    class Taking(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if encryption is not None:
                with suppress(OSError):
                    encryption.wrap_socket(self.request, server_side=True).close()

    with socketserver.TCPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
