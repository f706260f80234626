"""The command `doctor`: all checks of an installation, and how to fix what they find.

It changes nothing, sends nothing and blocks no role. It works whether the system is running or
stopped.
"""
