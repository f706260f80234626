"""What went wrong with an outside service, in our own words.

The text of such an error may repeat what the service sent, a visitor's name in it. Only what cannot
is taken from it: its kind, and the names that the operating system and OpenSSL give to failures.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator


def kind_of(error: BaseException) -> str:
    """Such as `ConnectError: Connection refused`."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return f"{type(error).__name__}: {cause.reason}"
        if isinstance(cause, socket.gaierror):
            return f"{type(error).__name__}: the host is not known"
        if isinstance(cause, OSError) and cause.errno and cause.errno in errno.errorcode:
            return f"{type(error).__name__}: {os.strerror(cause.errno)}"
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
