"""Checks of the environment: each check examines one thing and returns one finding.

Quick checks run when a role starts (`at_start`); `events-face doctor` runs all of them.
"""
