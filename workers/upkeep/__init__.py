"""Periodic work: cleaning up, rebuilds that were requested, seals."""
