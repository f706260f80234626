"""What every rule is made of: aggregates, ids, values, times, errors, and a unit of work."""
