"""Connections to the databases, queries on them, and the cache of responses."""
