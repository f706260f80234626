"""The projector: applies new events of history to every projection."""
