"""Building blocks of the rules: aggregates, ids, values, times, errors, the unit of work."""
