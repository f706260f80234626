"""The page at `/door/{id}` for the people at the entrance: its files, and what reads QR codes for
browsers that cannot.

The page has no data: it calls the API with a door key or an organizer's token. It is the one page
that needs scripts, since it works without a network.
"""
