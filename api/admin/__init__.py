"""The admin panel: pages under `/admin/`, for people with a role.

Every page is whole without scripts; htmx only spares loading it anew. What a page changes, it
changes by the commands that the API has, with the actor in history.
"""
