"""Who calls: accounts' credentials, sessions and tokens."""
