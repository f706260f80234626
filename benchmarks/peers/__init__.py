"""What a user would pick instead, tuned as its users would; each does the same work."""
