#!/usr/bin/env python3
"""push-server's dashboard in Chromium under a load of push-devices: its key, its figures, a slow session watched live, an
acknowledgement counted, campaigns with their rates, the log level set, nothing of clients' making taken for markup; screenshots of every look."""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import requests

from support.browser import Browser, Page
from support.check import Context, expect, run
from support.looks import screenshot
from support.raw_websocket import TEXT, RawConnection, frame
from support.servers import Server

KEY = "a-key-of-the-dashboard-check"
DEVICES = 400
PER_SECOND = 20
CAMPAIGN_RATE = 8
DESKTOP, PHONE = (1440, 1000), (390, 844)
EVIL = "<img src=x onerror=alert(1)>"


class Load:
    """Publishes to all devices at a steady pace, in a thread of its own, until it is closed."""

    def __init__(self, server: Server):
        self.url = f"http://127.0.0.1:{server.port}/api/v1/publish"
        self.ended = threading.Event()
        self.published = 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> "Load":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join(10)

    def run(self) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = KEY
            while not self.ended.wait(1 / PER_SECOND):
                session.post(self.url, json={"topic": "news", "data": {"number": self.published, "text": "x" * 3_000}}).raise_for_status()
                self.published += 1


def slow_device(server: Server, user: str) -> RawConnection:
    """A device that subscribes to much and reads nothing of it."""
    device = RawConnection(server.port, receive_buffer_bytes=4_096)
    device.upgrade(f"/ws?user={user}&device=tablet", subprotocol="push.v1.json")
    device.send(frame(TEXT, b'{"type":"subscribe","topic":"bulk"}'))
    return device


def fill(server: Server) -> None:
    """Publishes more than the buffers of the kernel take for somebody who does not read."""
    with requests.Session() as session:
        session.headers["X-API-Key"] = KEY
        for _ in range(300):
            session.post(f"http://127.0.0.1:{server.port}/api/v1/publish", json={"topic": "bulk", "text": "x" * 32_000}).raise_for_status()


def locked(page: Page) -> None:
    page.until("!document.querySelector('#lock').hidden && document.querySelector('#board').hidden")
    page.type("#key", "not the key of this server")
    page.press_enter()
    page.until_text("#key-error", "does not take this key")
    expect(page.value("sessionStorage.length") == 0, "a refused key is kept")
    # The browser tells of the refusal by itself.
    expect(all("401" in error for error in page.errors), f"the console says {page.errors}")
    page.errors.clear()


def tile(page: Page, name: str) -> str:
    return page.value(
        f"[...document.querySelectorAll('.tile')].find(tile => tile.querySelector('dt').textContent === {name!r})?.querySelector('dd').textContent ?? ''"
    )


def figures(page: Page, load: Load) -> None:
    page.until(f"document.body.dataset.state === 'live' && [...document.querySelectorAll('.tile')].some(tile => tile.textContent.startsWith('Sessions{DEVICES + 3}'))")
    page.until("document.querySelectorAll('#chart-messages .line').length >= 2")
    deadline = time.monotonic() + 20
    while True:
        before, began = load.published, time.monotonic()
        time.sleep(2)
        wanted = DEVICES * (load.published - before) / (time.monotonic() - began)
        shown = float((tile(page, "Delivered").split(" ")[0] or "0").replace(",", ""))
        if 0.7 * wanted < shown < 1.4 * wanted:
            break
        expect(time.monotonic() < deadline, f"{shown} delivered a second are shown instead of {wanted:.0f}")
    expect("MiB" in tile(page, "Memory"), f"memory: {tile(page, 'Memory')}")
    page.until("[...document.querySelectorAll('#topics tbody tr')].some(row => row.textContent.startsWith('news400'))")
    rows = page.value("document.querySelectorAll('#loops tbody tr').length")
    expect(rows >= 1, f"{rows} loops")


def nothing_is_markup(page: Page) -> None:
    page.until_text("#topics", EVIL)
    page.until_text("#slow", "<b>bold</b>")
    count = page.value("document.querySelectorAll('#board img, #board b b, #board td b').length")
    expect(count == 0, f"{count} elements came from clients' names")


def watched(page: Page, server: Server) -> None:
    """From the table of slow sessions to the ledger of one; then a device that acknowledges."""
    page.until("document.querySelector('#slow tbody .link')")
    page.value("[...document.querySelectorAll('#slow tbody tr')].find(row => row.textContent.includes('bold')).querySelector('.link').click()")
    page.until_text("#watched", "<b>bold</b> · tablet")
    page.until("/lacks/.test(document.querySelector('#watched').textContent)")


def acknowledged(page: Page, server: Server) -> None:
    page.value("document.querySelector('#watch-kind').value = 'user'")
    page.type("#watch-name", "device-7")
    page.press_enter()
    page.until_text("#watch-note", "User device-7: 1 session")
    entry = "[...document.querySelectorAll('.ledger div')].find(entry => entry.querySelector('dt').textContent === 'acknowledged').querySelector('dd').firstChild.textContent"
    expect(page.value(entry) == "0", "something is acknowledged before anything was sent")
    answer = requests.post(
        f"http://127.0.0.1:{server.port}/api/v1/send", headers={"X-API-Key": KEY}, json={"user": "device-7", "data": {"a": 1}}
    )
    expect(answer.status_code == 201, f"send: {answer.status_code}")
    page.until(f"{entry} === '1'")


def campaigns(page: Page, server: Server) -> None:
    """One that has ended, and one at its pace, which is paused and cancelled under the page's eyes."""
    url = f"http://127.0.0.1:{server.port}/api/v1/campaigns"
    users = [*(f"device-{number}" for number in range(100, DEVICES)), *(f"offline-{number}" for number in range(500))]
    for name, rate in (("morning", 5_000), ("evening", CAMPAIGN_RATE)):
        body = {"id": name, "rate": rate, "delivery": "inbox", "users": users, "data": {"text": "x"}}
        answer = requests.post(url, headers={"X-API-Key": KEY}, json=body)
        expect(answer.status_code == 202, f"campaign: {answer.status_code}")
    page.until("!document.querySelector('#campaigns-panel').hidden && document.querySelectorAll('#campaigns tbody tr').length === 2")
    row = "[...document.querySelectorAll('#campaigns tbody tr')].find(row => row.textContent.startsWith('{}'))"
    page.until(f"{row.format('morning')}.textContent.includes('finished100 %')", 30)
    page.until(f"Math.abs(Number({row.format('evening')}.children[6].textContent) - {CAMPAIGN_RATE}) <= {CAMPAIGN_RATE} / 4")
    expect(tile(page, "Campaigns").startswith("1"), f"campaigns: {tile(page, 'Campaigns')}")
    page.until("!document.querySelector('#chart-store').hidden && document.querySelectorAll('#chart-store .line').length === 3")


def steered(page: Page, server: Server) -> None:
    row = "[...document.querySelectorAll('#campaigns tbody tr')].find(row => row.textContent.startsWith('evening'))"
    for action, state in (("pause", "paused"), ("cancel", "cancelled")):
        requests.post(f"http://127.0.0.1:{server.port}/api/v1/campaigns/evening/{action}", headers={"X-API-Key": KEY}).raise_for_status()
        page.until(f"{row}.textContent.startsWith('evening{state}')")
    page.until("[...document.querySelectorAll('.tile')].some(tile => tile.textContent === 'Campaigns0')")


def log_level(page: Page, server: Server) -> None:
    def refused() -> None:
        with RawConnection(server.port) as stranger:
            stranger.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nNot a field\r\n\r\n")
            stranger.read_to_end()

    refused()
    expect("debug" not in server.log(), "something is logged at level debug")
    expect(page.value("document.querySelector('#level').value") == "info", "the level shown is not info")
    page.value("(box => { box.value = 'debug'; box.dispatchEvent(new Event('change')); })(document.querySelector('#level'))")
    page.until("!document.querySelector('#level').disabled")
    deadline = time.monotonic() + 10
    while "debug" not in server.log():
        expect(time.monotonic() < deadline, "nothing is logged at level debug")
        refused()
        time.sleep(0.1)


def key_stays_secret(page: Page, server: Server) -> None:
    urls = page.value("performance.getEntriesByType('resource').map(entry => entry.name).join(' ')")
    expect("dashboard/figures" in urls and KEY not in urls, "the key stands in an address")
    expect(KEY not in page.value("document.documentElement.outerHTML"), "the key stands in the page")
    expect("dashboard/figures" in server.log(), "what was answered does not stand in the log")
    expect(KEY not in server.log(), "the key stands in the log")
    expect("?user=" not in server.log(), "a query stands in the log")
    expect("log level set" in server.log(), "who set the level leaves no trace")
    page.value("document.querySelector('#leave').click()")
    page.until("!document.querySelector('#lock').hidden")
    expect(page.value("sessionStorage.length") == 0, "the key is not forgotten")


def open_with_key(browser: Browser, url: str, size: tuple[int, int], **look) -> Page:
    page = browser.open(url, *size, **look)
    page.until("!document.querySelector('#lock').hidden")
    page.type("#key", KEY)
    page.press_enter()
    return page


def looks(browser: Browser, url: str, page: Page, output: Path) -> None:
    page.until("document.querySelector('#chart-sessions .line').getAttribute('d').split('L').length > 20", 60)
    screenshot(page, output / "dashboard-light.png")
    for name, size, look in (("dark", DESKTOP, {"dark": True}), ("phone", PHONE, {"phone": True})):
        other = open_with_key(browser, url, size, **look)
        other.until("document.body.dataset.state === 'live' && document.querySelector('#chart-messages .line')")
        expect(
            other.value("document.documentElement.scrollWidth <= window.innerWidth"), f"the page is wider than the screen: {name}"
        )
        screenshot(other, output / f"dashboard-{name}.png")
        expect(not other.errors, f"the console says {other.errors}")
        other.close()


def lost_and_found(page: Page, context: Context, server: Server, folder: Path) -> None:
    """A page whose server goes away says so, and goes on with the next one."""
    server.terminate()
    server.process.wait(20)
    page.until("document.body.dataset.state === 'lost'")
    start(context, folder, port=server.port)
    page.until("document.body.dataset.state === 'live'")
    expect(all("Failed to load" in error or "ERR_" in error for error in page.errors), f"the console says {page.errors}")


def start(context: Context, folder: Path, **settings) -> Server:
    arguments = ["--trust-names", "--dashboard", "--access-log", "--store", str(folder / "push.sqlite")]
    return context.server("push-server", *arguments, environment={"PUSH_API_KEYS": KEY}, **settings)


def without_dashboard(context: Context) -> None:
    server = context.server("push-server", "--trust-names", environment={"PUSH_API_KEYS": KEY})
    for path in ("dashboard", "dashboard/figures", "dashboard/dashboard.js"):
        status = requests.get(f"http://127.0.0.1:{server.port}/{path}", headers={"X-API-Key": KEY}).status_code
        expect(status == 404, f"/{path} without --dashboard: {status}")
    server.close()


def chat(context: Context, browser: Browser, folder: Path, output: Path) -> None:
    keys = folder / "dashboard.keys"
    keys.write_text(f"{KEY}\n")
    server = context.server("chat-server", "--dashboard", str(keys))
    page = open_with_key(browser, f"http://127.0.0.1:{server.port}/dashboard", DESKTOP)
    page.until("document.body.dataset.state === 'live'")
    expect(tile(page, "Sessions").startswith("0"), f"sessions: {tile(page, 'Sessions')}")
    expect(not page.errors, f"the console says {page.errors}")
    page.close()
    server.close()


def check(context: Context) -> None:
    output = Path(context.options.output or os.environ.get("LONGWIRE_SCREENSHOTS") or tempfile.mkdtemp(prefix="dashboard-"))
    output.mkdir(parents=True, exist_ok=True)
    without_dashboard(context)
    with tempfile.TemporaryDirectory() as folder:
        all_looks(context, Path(folder), output)
    context.note(f"{DEVICES} devices, screenshots in {output}")


def all_looks(context: Context, folder: Path, output: Path) -> None:
    server = start(context, folder)
    url = f"http://127.0.0.1:{server.port}/dashboard"
    devices = Server.start(
        [str(Path(context.options.bin) / "push-devices")],
        ["--url", server.url("/ws"), "--count", str(DEVICES), "--topic", "news"], port=server.port,
    )
    context.servers.append(devices)
    with Browser() as browser, Load(server) as load:
        slow = [slow_device(server, "%3Cb%3Ebold%3C/b%3E"), slow_device(server, "sleepy")]
        other = RawConnection(server.port)
        other.upgrade("/ws?user=eve", subprotocol="push.v1.json")
        other.send(frame(TEXT, json.dumps({"type": "subscribe", "topic": EVIL}).encode()))
        fill(server)
        page = browser.open(url, *DESKTOP)
        locked(page)
        page.type("#key", KEY)
        page.press_enter()
        figures(page, load)
        nothing_is_markup(page)
        watched(page, server)
        campaigns(page, server)
        looks(browser, url, page, output)
        steered(page, server)
        acknowledged(page, server)
        page.value("window.scrollTo(0, document.body.scrollHeight)")
        screenshot(page, output / "dashboard-watch.png")
        log_level(page, server)
        expect(not page.errors, f"the console says {page.errors}")
        key_stays_secret(page, server)
        page.close()
        load.ended.set()
        page = open_with_key(browser, url, DESKTOP)
        page.until("document.body.dataset.state === 'live'")
        devices.close()
        for device in [*slow, other]:
            device.socket.close()
        lost_and_found(page, context, server, folder)
        chat(context, browser, folder, output)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="where the screenshots go (default: LONGWIRE_SCREENSHOTS, or a temporary folder)",
    )


if __name__ == "__main__":
    run(check, seconds_max=180, options=options)
