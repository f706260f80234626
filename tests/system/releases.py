"""Releases of this code that are still to come, as folders that processes run from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOMS = ("domain", "runtime", "projections", "api", "workers", "events_face")
HERE = Path(__file__).parents[2]
NEXT_MIGRATION = len(list(HERE.glob("domain/migrations/*.sql"))) + 1

Changes = Mapping[str, Sequence[tuple[str, str]]]
"""File -> old text, and new text. The old text of a new file is empty."""


def make_release(folder: Path, before: Path, changes: Changes) -> Path:
    """A copy of the release `before` with these changes."""
    for room in ROOMS:
        shutil.copytree(before / room, folder / room)
    for file, replacements in changes.items():
        text = (folder / file).read_text() if (folder / file).exists() else ""
        for old, new in replacements:
            assert text.count(old) == 1, (file, old)
            text = text.replace(old, new)
        (folder / file).write_text(text)
    return folder


EXPAND: Changes = {
    "domain/visitors.py": [
        ("    version=4,\n    written_as=1,", "    version=5,\n    written_as=1,"),
        (
            '    """Whether the message is sent."""\n',
            '    """Whether the message is sent."""\n    source: str = "form"\n',
        ),
        (
            "        return (new_fields_have_their_defaults,) * 3\n",
            "        return (new_fields_have_their_defaults,) * 4\n",
        ),
    ],
    "projections/areas.py": [
        (
            "    version     bigint NOT NULL\n",
            "    version bigint NOT NULL,\n    note text DEFAULT ''\n",
        ),
        ('name="areas", schema_version=2', 'name="areas", schema_version=3'),
        ("FROM areas WHERE position", "FROM areas WHERE note = '' AND position"),
    ],
    f"domain/migrations/{NEXT_MIGRATION:04}_note.sql": [
        ("", "ALTER TABLE personal_keys ADD note text DEFAULT ''")
    ],
}
"""Reads a newer version of an event and writes the older one; adds a column to a read table and to
another one."""

SWITCH: Changes = {
    "domain/visitors.py": [("    version=5,\n    written_as=1,", "    version=5,")],
    "domain/registrations.py": [
        (
            "        confirm_by=until,\n",
            '        confirm_by=until,\n        source="web",\n',
        ),
    ],
    "projections/areas.py": [("note = '' AND ", "")],
}
"""Writes the newer version; reads the column no more."""

CONTRACT: Changes = {
    "projections/areas.py": [
        (",\n    note text DEFAULT ''\n", "\n"),
        ('name="areas", schema_version=3', 'name="areas", schema_version=4'),
    ],
    f"domain/migrations/{NEXT_MIGRATION + 1:04}_no_note.sql": [
        ("", "ALTER TABLE personal_keys DROP note")
    ],
}
"""Has no such columns."""
