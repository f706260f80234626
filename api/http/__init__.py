"""HTTP work that is the same for all resources."""
