"""The sub-command `doctor`: all checks of an installation, and what mends what they find.

Nothing is changed, nothing is sent, and nobody is asked to wait: it works while everything is up,
and tells while everything is down.
"""
