"""Values: accepted input, its normal form, and messages for the rest."""

from datetime import UTC, date, datetime

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from domain.core.times import parse_deadline, parse_moment
from domain.core.values import Email, FullName, Invalid, Text


@pytest.mark.parametrize("raw", [" Ada ", "\tAda\n", "Ada"])
def test_a_text_is_trimmed(raw: str) -> None:
    assert Text.parse(raw) == "Ada"


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "   ",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\u2028b",
        "\u200b",
        "\u200b \u2060",
        "a\ud800b",
        "x" * 256,
        None,
        5,
        ["x"],
    ],
)
def test_text_that_is_not_one_line_is_refused(raw: object) -> None:
    with pytest.raises(Invalid):
        Text.parse(raw)


@pytest.mark.parametrize("raw", ["Zoë", "李小龙", "می‌خواهم", "👩‍🚀 Ada", "x" * 128])
def test_names_in_all_scripts_are_accepted_unchanged(raw: str) -> None:
    assert FullName.parse(raw) == raw


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (" Ada.Lovelace@Example.COM ", "ada.lovelace@example.com"),
        ("a+b_c@sub.example.co", "a+b_c@sub.example.co"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("Ü@exämple.de", "ü@exämple.de"),
        ("visitor@load.test", "visitor@load.test"),
        ("visi%tor@load.test", "visi%tor@load.test"),
        ("o'hara@example.com", "o'hara@example.com"),
    ],
)
def test_an_email_takes_its_normal_form(raw: str, normal: str) -> None:
    assert Email.parse(raw) == normal


@pytest.mark.parametrize(
    "raw",
    ["", "ada", "@example.com", "ada@", "ada@localhost", "a b@example.com", "a..b@example.com",
     "a@-x.de", "a@x..de", "a\x00@example.com", "a@" + "x" * 260 + ".de", None, 1,
     "a\ud800@example.com", "x" * 65 + "@example.com"],
)  # fmt: skip
def test_text_that_is_not_an_email_is_refused(raw: object) -> None:
    with pytest.raises(Invalid):
        Email.parse(raw)


@given(
    st.emails() | st.from_regex(r"[a-z0-9.+_-]{1,12}@[a-z0-9.-]{1,12}\.[a-z]{2,5}", fullmatch=True)
)
def test_emails_accepted_by_the_fast_path_are_accepted_by_the_library_unchanged(raw: str) -> None:
    try:
        email = Email.parse(raw)
    except Invalid:
        return
    try:
        checked = validate_email(
            email, check_deliverability=False, globally_deliverable=False, strict=True
        )
    except EmailNotValidError as error:
        raise AssertionError(f"{email!r} is no address: {error}") from error
    assert checked.normalized.lower() == email


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2030-05-17T09:00:00Z", datetime(2030, 5, 17, 9, tzinfo=UTC)),
        ("2030-05-17t09:00:00.5+02:00", datetime(2030, 5, 17, 7, 0, 0, 500_000, tzinfo=UTC)),
        ("05.17.2030", datetime(2030, 5, 17, tzinfo=UTC)),
        ("2030-05-17", datetime(2030, 5, 17, tzinfo=UTC)),
    ],
)
def test_a_moment_is_given_as_rfc_3339_or_in_the_date_format_of_the_seed(
    raw: str, moment: datetime
) -> None:
    assert parse_moment(raw) == moment


def test_a_bare_date_as_a_deadline_stays_a_date() -> None:
    assert parse_deadline("05.17.2030") == date(2030, 5, 17)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("0000-01-01T00:00:00Z", "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"),
        ("10000-01-01T00:00:00Z", "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00+14:00", "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59-00:01", "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"),
        ("2030-02-30T00:00:00Z", "is not a date in the calendar: day is out of range for month"),
        ("2030-13-01T00:00:00Z", "is not a date in the calendar: month must be in 1..12"),
        ("2030-02-30", "is not a date in the calendar: day is out of range for month"),
        ("13.01.2030", "is not a date in the calendar: month must be in 1..12"),
        ("0000-01-01", "is not a date in the calendar: year 0 is out of range"),
        ("2030-05-17T24:00:00Z", "must have a time of day from 00:00:00 to 23:59:59"),
        ("2030-05-17T23:60:00Z", "must have a time of day from 00:00:00 to 23:59:59"),
        ("2030-05-17T23:59:60Z", "must have a time of day from 00:00:00 to 23:59:59"),
        ("2030-05-17T09:00:00+24:00", "must have an offset from -23:59 to +23:59"),
        ("2030-05-17T09:00:00+01:60", "must have an offset from -23:59 to +23:59"),
        ("2030-5-17T09:00:00Z", "must be a time such as 2030-05-17T09:00:00Z, or MM.DD.YYYY"),
        ("17.05.2030 09:00", "must be a time such as 2030-05-17T09:00:00Z, or MM.DD.YYYY"),
        ("-2030-05-17T09:00:00Z", "must be a time such as 2030-05-17T09:00:00Z, or MM.DD.YYYY"),
    ],
)
def test_the_error_for_an_impossible_time_names_the_part_that_is_out_of_range(
    raw: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        parse_moment(raw)
    assert str(refused.value).startswith(reason)  # newer Pythons name the month besides


@pytest.mark.parametrize(
    "raw",
    ["", "tomorrow", "2030-05-17T09:00:00", "13.01.2030", "02.30.2030", "2030-02-30", "1.1.2030",
     "2030-W01-1", "0001-01-01T00:00:00+14:00", "2030-05-17T25:00:00Z", "\uff12030-05-17",
     None, 0, {}],
)  # fmt: skip
def test_text_that_is_not_a_time_is_refused(raw: object) -> None:
    with pytest.raises(Invalid):
        parse_moment(raw)
