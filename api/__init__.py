"""The HTTP side: commands in, queries out."""
