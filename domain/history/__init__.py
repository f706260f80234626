"""The event store: decides commands, appends their events, and reads history."""
