"""Delivering notifications: leases, calls, outcomes."""
