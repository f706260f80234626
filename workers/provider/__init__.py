"""The external events provider: fetching its items, and applying them."""
