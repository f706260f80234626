"""Failures that a command reports in one line.

CommandFailed
├── WrongUsage
├── SettingsError    (runtime.settings)
└── StartFailed      (runtime.embedded.cluster)
"""


class CommandFailed(Exception):
    """The command failed; the message is one line that says why."""


class WrongUsage(CommandFailed):
    """The arguments are invalid; exits with the same status as an error of the argument parser."""


def in_words(error: OSError) -> str:
    """The reason of the error, with its file, if any."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
