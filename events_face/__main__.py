"""`python -m events_face` is `events-face`."""

from events_face.cli import main

if __name__ == "__main__":
    main()
