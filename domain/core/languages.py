"""The languages in which visitors can read pages and messages."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["en", "de", "fr"]

ENGLISH: Language = "en"
"""The language of all texts in the code; it needs no catalogue."""

LANGUAGES: tuple[Language, ...] = get_args(Language)
