"""The failures that a command reports in one line.

CommandFailed
├── WrongUsage
└── SettingsError    (events_face.settings)
"""


class CommandFailed(Exception):
    """What was asked cannot be done; the message is the one line that says why."""


class WrongUsage(CommandFailed):
    """What was asked cannot mean anything, and exits as what the parser of arguments refuses."""
