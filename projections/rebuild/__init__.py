"""Rebuilding read tables from the beginning of history, while the present ones stay in use."""
