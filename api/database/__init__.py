"""How queries reach the read tables, and how answers are kept."""
