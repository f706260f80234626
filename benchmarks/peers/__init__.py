"""Alternatives that a user could choose, tuned as their users would do it; all do the same work."""
