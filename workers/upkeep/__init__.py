"""Periodic work: cleanup, requested rebuilds, seals."""
