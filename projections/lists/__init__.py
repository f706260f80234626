"""Pages of long lists: cursors, counts, and search by a part of a name."""
