"""What may be wrong around this system: each check looks at one thing, and tells one finding.

The quick ones are made whenever a role starts (`at_start`); `events-face doctor` makes them all.
"""
