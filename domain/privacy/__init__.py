"""Personal data in history: encrypted, each under a key of its own that can be deleted."""
