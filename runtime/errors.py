"""The failures that a command reports in one line.

CommandFailed
├── WrongUsage
├── SettingsError    (runtime.settings)
└── DoesNotStart     (runtime.embedded.cluster)
"""


class CommandFailed(Exception):
    """What was asked cannot be done; the message is the one line that says why."""


class WrongUsage(CommandFailed):
    """What was asked cannot mean anything, and exits as what the parser of arguments refuses."""


def in_words(error: OSError) -> str:
    """Its reason, and the file that it is about."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
