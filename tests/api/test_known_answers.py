"""Answers that are kept: right for as long as their tag is, and within a budget."""

from __future__ import annotations

from api.database.response_cache import OVERHEAD, KnownAnswers


def test_an_answer_is_known_by_its_question_and_tag_only() -> None:
    known = KnownAnswers()
    known.keep("/list?limit=1", '"e1"', b"one")
    assert known.get("/list?limit=1", '"e1"') == b"one"
    assert known.get("/list?limit=1", '"e2"') is None
    assert known.get("/list?limit=2", '"e1"') is None
    known.keep("/list?limit=1", '"e2"', b"two")
    assert known.get("/list?limit=1", '"e1"') is None
    assert known.get("/list?limit=1", '"e2"') == b"two"


def test_the_answer_that_was_asked_for_longest_ago_goes_first() -> None:
    known = KnownAnswers(budget=2 * OVERHEAD + 40)
    known.keep("/a", '"1"', b"a" * 15)
    known.keep("/b", '"1"', b"b" * 15)
    assert known.get("/a", '"1"') is not None
    known.keep("/c", '"1"', b"c" * 15)
    assert known.get("/b", '"1"') is None
    assert known.get("/a", '"1"') is not None
    known.keep("/d", '"1"', b"d" * 2 * OVERHEAD)
    assert known.get("/d", '"1"') is None, "larger than everything that may be kept"
