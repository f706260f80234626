"""History as auditors read it: the log, one aggregate at a moment, and what changed between two."""
