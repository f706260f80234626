"""Sending the items of the feed to webhooks: leases, calls, outcomes."""
