"""Pages of long lists: cursors, counts, and how names are found by a part of them."""
