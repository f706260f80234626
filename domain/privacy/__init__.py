"""Personal data in history: encrypted, each under a key of its own, and unreadable once that is deleted."""
