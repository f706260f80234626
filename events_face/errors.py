"""The failures that a command reports in one line.

CommandFailed
└── SettingsError    (events_face.settings)
"""


class CommandFailed(Exception):
    """What was asked cannot be done; the message is the one line that says why."""
