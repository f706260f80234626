"""The dashboard: live figures while the page is open."""
