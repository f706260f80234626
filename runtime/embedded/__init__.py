"""PostgreSQL and Valkey without installing either: the binaries come from Python packages."""
