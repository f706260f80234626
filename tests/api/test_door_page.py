"""The door page as it is served: its scripts, and what browsers let it do."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from api.door_page.files import contents
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def test_the_page_is_the_same_for_each_event_and_alone_may_use_the_camera(
    lone_api: Api,
) -> None:
    page = await lone_api.http.get(f"/door/{uuid4()}")
    assert page.text == (await lone_api.http.get("/door")).text
    assert page.headers["Permissions-Policy"].startswith("camera=(self)")
    for other in ("/", "/admin/sign-in", "/api/swagger"):
        answer = await lone_api.http.get(other)
        assert answer.headers["Permissions-Policy"].startswith("camera=()"), other
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=", page.text)


async def test_the_service_worker_keeps_the_page_and_all_that_it_loads(lone_api: Api) -> None:
    worker = await lone_api.http.get("/door/worker.js")
    assert worker.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert worker.headers["Cache-Control"] == "no-cache"
    found = re.search(r"const FILES = (.*);", worker.text)
    assert found is not None
    kept = json.loads(found[1])
    page = (await lone_api.http.get("/door")).text
    assert set(re.findall(r'(?:src|href)="(/[^"]*assets/[^"]*)"', page)) <= set(kept)
    for address in kept:
        answer = await lone_api.http.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["Cache-Control"]
    names = {address.rpartition("/")[2] for address in kept}
    for script in contents().values():
        assert set(re.findall(rb'from "\./([\w.]+)"', script)) <= {n.encode() for n in names}


async def test_files_of_another_release_are_not_found(lone_api: Api) -> None:
    assert (await lone_api.http.get("/door/assets/000000000000/door.js")).status_code == 404
