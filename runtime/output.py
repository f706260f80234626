"""Standard output that takes no more: nobody reads on, or the disk is full."""

import os
import sys


def abandon() -> None:
    """Let what is still to be flushed go nowhere, instead of failing once more at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
