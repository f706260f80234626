"""Numbered migrations of the schema, and what a database has of them."""
