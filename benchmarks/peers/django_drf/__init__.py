"""The peer: Django, Django REST framework and psycopg behind gunicorn's threads."""
