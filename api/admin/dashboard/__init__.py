"""The dashboard: how things are going, at first sight and as long as the page is open."""
