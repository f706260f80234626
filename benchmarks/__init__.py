"""Benchmarks: every performance claim, measured against peers in one run."""
