"""The peer: `eventsourcing` as its documentation shows it, in this project's own environment."""
