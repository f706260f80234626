"""Encryption of personal data in history, with a separate key for each event, which can be
deleted."""
