"""What we claim to be fast at, measured beside peers in one run."""
