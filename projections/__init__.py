"""The read side: tables derived from history, and the queries that read them."""
