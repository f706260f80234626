"""`make messages`: brings the catalogues up to date with the texts in the code.

New messages are added without a translation, a changed one keeps its former translation marked as
fuzzy, and what is not used any more is removed. Nothing else in the files changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.pofile import read_po, write_po

from domain.core.errors import Refused
from domain.core.languages import ENGLISH, LANGUAGES, Language
from domain.visitors import DeadlinePassed, EventCancelled, EventClosed, EventFull
from runtime.languages.translated import CATALOGUES

ROOT = Path(__file__).parent.parent.parent

IN_TEXTS: Mapping[str, Any] = DEFAULT_KEYWORDS
OF_VALUES: Mapping[str, Any] = {"Invalid": None, "Phrase": None}
"""What is wrong with a value. These messages are translated where they are shown."""

VISITORS = "domain/visitors.py"

SOURCES: Mapping[str, Mapping[str, Any]] = {
    "api/html/**/*.py": IN_TEXTS,
    "api/pages/**/*.html": IN_TEXTS,
    "api/pages/**/*.py": IN_TEXTS,
    "workers/delivery/mail/**/*.html": IN_TEXTS,
    "workers/delivery/mail/**/*.py": IN_TEXTS,
    "projections/message_texts.py": IN_TEXTS,
    "domain/answers.py": OF_VALUES,
    "domain/core/characters.py": OF_VALUES,
    "domain/core/values.py": OF_VALUES,
    "api/http/bodies.py": {"Phrase": None},
}

REFUSALS: tuple[type[Refused], ...] = (EventCancelled, EventClosed, DeadlinePassed, EventFull)
"""Those that the form to register shows."""


def messages() -> Catalog:
    """All messages that visitors may read."""
    found = Catalog(charset="utf-8")
    for pattern, keywords in SOURCES.items():
        for path in sorted(ROOT.glob(pattern)):
            place = path.relative_to(ROOT).as_posix()
            for _, message, _, context in _extracted(path, keywords):
                found.add(message, locations=[(place, 0)], context=context)
    for refusal in REFUSALS:
        found.add((refusal.__doc__ or "").partition("\n")[0], locations=[(VISITORS, 0)])
    return found


def _extracted(path: Path, keywords: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The line, the message, comments and the context of each."""
    method = "jinja2.ext:babel_extract" if path.suffix == ".html" else "python"
    options = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
    yield from extract_from_file(method, path, keywords=keywords, options=options)


def file_of(language: Language) -> Path:
    return CATALOGUES / f"{language}.po"


def stored(language: Language) -> Catalog:
    """The catalogue in its file; an empty one of a new language."""
    path = file_of(language)
    if not path.exists():
        return Catalog(locale=language, project="Events-Face", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def main() -> None:
    now = messages()
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        catalogue = stored(language)
        now.creation_date = catalogue.creation_date
        catalogue.update(now)
        catalogue.obsolete.clear()
        with file_of(language).open("wb") as file:
            write_po(file, catalogue, width=100, include_lineno=False, sort_by_file=True)
        missing = sum(1 for m in catalogue if m.id and (m.fuzzy or not all(_texts(m.string))))
        sys.stdout.write(f"{language}: {len(catalogue)} messages, {missing} to translate\n")


def _texts(string: str | Sequence[str] | None) -> Sequence[str]:
    return [string] if isinstance(string, str) else string or [""]


if __name__ == "__main__":
    main()
