"""The door page with a camera: Chromium plays it a film of QR codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Playwright, async_playwright, expect

from tests.api.serving import Api
from tests.browser.door_phones import SIZE, Phone, door_link, visitors_of
from tests.support import chromium
from tests.support.qr_codes import video

pytestmark = pytest.mark.anyio


async def with_camera(
    playwright: Playwright, folder: Path, film: bytes, site: Api
) -> BrowserContext:
    """A browser whose database is in this folder, and which sees the film again and again."""
    file = folder / "film.y4m"
    file.write_bytes(film)
    return await playwright.chromium.launch_persistent_context(
        folder / "browser",
        executable_path=chromium.found(),
        base_url=str(site.http.base_url),
        args=[
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={file}",
        ],
        **SIZE,
    )


async def test_a_camera_sees_tickets_which_the_server_reads_and_each_is_one_scan(
    site: Api, tmp_path: Path
) -> None:
    event = await site.event(name="Fair with cameras")
    tickets = await visitors_of(site, event, "Ada Lovelace", "Grace Hopper")
    film = video(*tickets.values(), each=10)
    async with async_playwright() as playwright:
        context = await with_camera(playwright, tmp_path, film, site)
        link = await door_link(site, event)
        phone = Phone(context, await context.new_page(), link, str(site.http.base_url))
        await phone.open()
        await phone.ready()
        await phone.press("Start the camera")
        await expect(phone.page.locator("#recent")).to_contain_text("Ada Lovelace")
        await expect(phone.page.locator("#recent")).to_contain_text("Grace Hopper")
        await phone.counts(inside="2 of 2", waiting=0)
        assert await phone.page.locator("#recent [data-colour=amber]").count() == 0
        await context.set_offline(True)
        await expect(phone.page.locator("#camera-note")).to_contain_text("without a network")
        assert phone.watch.complaints == []
        await context.close()


async def test_the_browsers_own_detector_reads_tickets_also_without_a_network(
    site: Api, tmp_path: Path
) -> None:
    """Chromium on Linux has none: this one sees what the test holds in front of the camera."""
    event = await site.event(name="Fair in a tunnel")
    tickets = await visitors_of(site, event, "Ada Lovelace", "Grace Hopper")
    async with async_playwright() as playwright:
        context = await with_camera(playwright, tmp_path, video("nothing"), site)
        await context.add_init_script(DETECTOR)
        link = await door_link(site, event)
        phone = Phone(context, await context.new_page(), link, str(site.http.base_url))
        await phone.open()
        await phone.ready()
        await phone.press("Start the camera")
        await phone.page.evaluate("(text) => { globalThis.held = text; }", tickets["Ada Lovelace"])
        await phone.sees("Let in", "Ada Lovelace")
        await context.set_offline(True)
        await expect(phone.page.locator("#connection")).to_contain_text("Offline")
        await expect(phone.page.locator("#camera-note")).to_be_hidden()
        await phone.page.evaluate("(text) => { globalThis.held = text; }", tickets["Grace Hopper"])
        await phone.sees("Let in", "Grace Hopper")
        await phone.counts(inside="2 of 2", waiting=1)
        await context.close()

        context = await with_camera(playwright, tmp_path, video("nothing"), site)
        await context.set_offline(True)
        phone = Phone(context, await context.new_page(), link, str(site.http.base_url))
        await phone.open(fragment=False)
        await phone.counts(inside="2 of 2", waiting=1)
        await context.set_offline(False)
        await phone.counts(inside="2 of 2", waiting=0)
        await context.close()


DETECTOR = """
    globalThis.BarcodeDetector = class {
        static getSupportedFormats() { return Promise.resolve(["qr_code"]); }
        async detect(video) {
            if (!video.videoWidth) throw new Error("no picture");
            return globalThis.held ? [{ rawValue: globalThis.held }] : [];
        }
    };
"""


async def test_a_refused_camera_is_said_and_typing_works_on(site: Api, tmp_path: Path) -> None:
    event = await site.event(name="Fair without cameras")
    tickets = await visitors_of(site, event, "Ada Lovelace")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.found())
        context = await browser.new_context(base_url=str(site.http.base_url), **SIZE)
        link = await door_link(site, event)
        phone = Phone(context, await context.new_page(), link, str(site.http.base_url))
        await phone.open()
        await phone.ready()
        await phone.press("Start the camera")
        await expect(phone.page.locator("#camera-note")).to_contain_text("cannot be used")
        await phone.scan(tickets["Ada Lovelace"])
        await phone.sees("Let in", "Ada Lovelace")
        await browser.close()
