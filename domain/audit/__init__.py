"""History for auditors: the log, an aggregate at a moment, and changes between two moments."""
