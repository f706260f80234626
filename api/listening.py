"""Leaving a port that other processes serve too, without turning anybody away.

The server would stop listening and hang up on those whose first request it has not read yet in one
go. So the port is left first: whoever is connected by then is answered, and who comes later
is given to the others by the kernel.
"""

from __future__ import annotations

import os
import socket
import sys

import psutil

SHARED = sys.platform == "linux"
"""Elsewhere the kernel does not share out the connections of a port."""


def leave(port: int) -> None:
    """Listen there no more, while the server goes on with the connections that it has.

    It keeps its descriptor, and finds a socket there that nobody ever connects to.
    """
    if not SHARED:
        return
    with socket.socket(socket.AF_UNIX) as nobodys:
        nobodys.setblocking(False)
        nobodys.bind("")  # a name that the kernel chooses
        nobodys.listen(1)
        for found in psutil.Process().net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port:
                os.dup2(nobodys.fileno(), found.fd, inheritable=False)
