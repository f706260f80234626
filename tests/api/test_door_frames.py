"""Frames of cameras that the door page sends, since its browser cannot read QR codes."""

from __future__ import annotations

import pytest

from runtime.variables import Rate
from tests.api.keyed import Keyed
from tests.api.serving import Serving, problem
from tests.support.qr_codes import gray_map

pytestmark = pytest.mark.anyio

TICKET = "A2" * 24
GRAY_MAP = {"Content-Type": "image/x-portable-graymap"}


async def test_the_code_in_a_frame_is_read_for_who_may_check_in(keyed: Keyed) -> None:
    event = await keyed.event()
    frames = f"/door/{event}/frames"
    door = await keyed.key("check_in", event_ids=[event])
    for frame, text in ((gray_map(TICKET), TICKET), (b"P5 2 2 255\n1234", None)):
        answer = await keyed.http.post(frames, content=frame, headers=door | GRAY_MAP)
        assert (answer.status_code, answer.json()["data"]) == (200, {"text": text})
        assert answer.headers["Cache-Control"] == "no-store"
    other = await keyed.key("check_in", event_ids=[await keyed.event()])
    reader = await keyed.key("events:read")
    for headers, refusal in (
        (other, (404, "not-found")),
        (reader, (403, "forbidden")),
        ({}, (401, "token-invalid")),
    ):
        answer = await keyed.http.post(frames, content=gray_map(TICKET), headers=headers | GRAY_MAP)
        assert problem(answer) == refusal


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"", "must begin with P5"),
        (b"P6 2 2 255\n1234", "must begin with P5"),
        (b"P5 2 2 255\n12345", "must have a byte for each of its 2 × 2 pixels"),
        (b"P5 0 2 255\n", "must be 1 to 640 pixels"),
        (b"P5 9999 9999 255\n1234", "must be 1 to 640 pixels"),
        (b"P5 \x00 2 255\n", "must begin with P5"),
    ],
)
async def test_what_is_no_frame_is_refused(keyed: Keyed, frame: bytes, says: str) -> None:
    event = await keyed.event()
    headers = await keyed.key("check_in") | GRAY_MAP
    answer = await keyed.http.post(f"/door/{event}/frames", content=frame, headers=headers)
    assert problem(answer) == (422, "validation")
    assert says in answer.json()["errors"][0]["messages"][0]


async def test_a_frame_of_another_type_or_size_is_refused(keyed: Keyed) -> None:
    event = await keyed.event()
    headers = await keyed.key("check_in")
    frames = f"/door/{event}/frames"
    answer = await keyed.http.post(frames, json={"frame": 1}, headers=headers)
    assert problem(answer) == (415, "unsupported-media-type")
    large = gray_map(TICKET, 700, 700)
    answer = await keyed.http.post(frames, content=large, headers=headers | GRAY_MAP)
    assert problem(answer) == (413, "payload-too-large")


async def test_frames_have_a_limit_of_their_own(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_frames=Rate(2, 60)) as api:
        organizer = await api.account("organizer", "organizer")
        event = await api.event()
        headers = organizer.bearer | GRAY_MAP
        statuses = [
            (await api.http.post(f"/door/{event}/frames", content=gray_map("A"), headers=headers))
            for _ in range(3)
        ]
        assert [answer.status_code for answer in statuses] == [200, 200, 429]
        assert int(statuses[2].headers["Retry-After"]) > 0
