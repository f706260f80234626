"""Rebuilds read tables from the beginning of history, while the live tables stay in use."""
