"""Embedded PostgreSQL and Valkey: their binaries come from Python packages."""
