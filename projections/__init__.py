"""The read side: tables derived from history, and the queries that read them."""

from projections.registry import create_tables, due_rebuilds

__all__ = ["create_tables", "due_rebuilds"]
