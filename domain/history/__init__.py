"""The event store: how commands are decided and appended, and how history is read."""
