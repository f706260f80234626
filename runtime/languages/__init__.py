"""Texts, dates and numbers in the languages of visitors."""
