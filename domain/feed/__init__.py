"""The feed: history for other systems. One item for each domain event that concerns them, with the
fact as it was then."""
