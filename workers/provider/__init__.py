"""The external events provider: fetches its items and applies them."""
