"""Shared by the pages of the panel: rendering, forms, cookies, and history in words."""
