"""The admin panel: pages under `/admin/`, for accounts with a role.

Every page works without scripts; htmx only saves full page loads. Pages change data with the same
commands as the API, and history names the actor.
"""
