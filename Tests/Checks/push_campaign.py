#!/usr/bin/env python3
"""Campaigns of push-server to the inboxes of thousands of push-devices: the rate kept, pause and cancel, devices that were
away, kill -9 in the middle, every message acknowledged and none there twice; a screenshot of the dashboard meanwhile."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from dashboard import DESKTOP, KEY, open_with_key, options, tile
from support.browser import Browser, Page
from support.check import Context, expect, run
from support.looks import screenshot
from support.servers import Server

DEVICES = 5_000
OFFLINE_PERCENT = 20
ONLINE = DEVICES * (100 - OFFLINE_PERCENT) // 100
RATE = 1_000
USERS = [f"device-{number}" for number in range(DEVICES)]


class Fleet:
    """A push-devices, and what it tells."""

    def __init__(self, context: Context, server: Server, *arguments: str):
        command = [str(Path(context.options.bin) / "push-devices"), "--url", server.url("/ws")]
        self.process = Server.start(command, list(arguments), port=server.port)
        context.servers.append(self.process)

    @property
    def counts(self) -> dict[str, int]:
        """Of its last whole line."""
        lines = [line for line in self.process.log().split("\n")[:-1] if line.startswith("connected=")]
        return {name: int(count) for name, count in (field.split("=") for field in lines[-1].split())} if lines else {}

    def until(self, wanted: str, holds: Callable[[dict[str, int]], bool], seconds_max: float = 30) -> dict[str, int]:
        deadline = time.monotonic() + seconds_max
        while not (counts := self.counts) or not holds(counts):
            expect(self.process.process.poll() is None, f"push-devices ended:\n{self.process.log()[-500:]}")
            expect(time.monotonic() < deadline, f"{wanted}: the devices' counts are {counts}")
            time.sleep(0.05)
        return counts

    def settled(self, received: int, wanted: str) -> None:
        """Every message has come and is acknowledged; and no more of them come."""
        self.until(wanted, lambda counts: counts["received"] >= received and counts["acknowledged"] >= received)
        time.sleep(1.2)
        counts = self.counts
        expect(counts["received"] == received, f"{wanted}: {received} were sent, {counts['received']} came")

    def come_back(self) -> None:
        self.process.process.send_signal(signal.SIGHUP)


class Campaign:
    """A campaign to the inboxes of all devices."""

    def __init__(self, server: Server, name: str, users: list[str] = USERS):
        self.url = f"http://127.0.0.1:{server.port}/api/v1/campaigns"
        self.name = name
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = KEY
        body = {"id": name, "rate": RATE, "delivery": "inbox", "users": users, "text": f"It is {name}."}
        answer = self.session.post(self.url, json=body, timeout=20)
        expect(answer.status_code == 202, f"{name} is answered {answer.status_code} {answer.text}")

    def now(self) -> dict:
        return self._answer(self.session.get(f"{self.url}/{self.name}", timeout=20))

    def steer(self, word: str) -> dict:
        return self._answer(self.session.post(f"{self.url}/{self.name}/{word}", timeout=20))

    def _answer(self, answer: requests.Response) -> dict:
        expect(answer.status_code == 200, f"{self.name} is answered {answer.status_code} {answer.text}")
        return answer.json()

    def until(self, sent: int, seconds_max: float = 60) -> tuple[int, list[tuple[float, int]]]:
        """Waits until so many have it, or it ends; how many have, and when how many had."""
        deadline = time.monotonic() + seconds_max
        course: list[tuple[float, int]] = []
        while True:
            asked = time.monotonic()
            now = self.now()
            course.append(((asked + time.monotonic()) / 2, now["sent"]))
            expect(now["missed"] == 0, f"{self.name}: {now}")
            if now["sent"] >= sent or now["state"] in ("finished", "cancelled"):
                return now["sent"], course
            expect(time.monotonic() < deadline, f"{self.name} is at {now}")
            time.sleep(0.03)

    def steady(self) -> int:
        """How many have it when no more get it."""
        before = -1
        while before != (sent := self.now()["sent"]):
            before = sent
            time.sleep(0.3)
        return sent


def rate(courses: list[list[tuple[float, int]]]) -> float:
    """Messages a second while it ran: the slope of the line that is closest to all counts, by the times of asking."""
    rises = squares = 0.0
    for course in courses:
        # What has had nothing yet has not begun, and the last one may have come any time before it was seen.
        running = [(at, sent) for at, sent in course[:-1] if sent > 0]
        mean_at, mean_sent = (sum(column) / len(running) for column in zip(*running))
        rises += sum((at - mean_at) * (sent - mean_sent) for at, sent in running)
        squares += sum((at - mean_at) ** 2 for at, _ in running)
    return rises / squares


def spring(server: Server, fleet: Fleet, page: Page, output: Path) -> float:
    """A whole campaign with a pause, seen on the dashboard; who was away gets it on return."""
    campaign = Campaign(server, "spring")
    _, before = campaign.until(1_500)
    expect(campaign.steer("pause")["state"] == "paused", "it does not pause")
    paused = campaign.steady()
    time.sleep(1)
    expect(campaign.now()["sent"] == paused, "it goes on while it is paused")
    expect(campaign.steer("resume")["state"] == "running", "it does not go on")
    _, after = campaign.until(DEVICES - 700)
    shown = page_shows(page, output)
    _, rest = campaign.until(DEVICES)
    now = campaign.now()
    expect((now["state"], now["sent"], now["total"]) == ("finished", DEVICES, DEVICES), f"spring ended as {now}")
    # Only those who are there are given it: the rate, less the share of the others.
    expect(0.5 * RATE < shown < 1.1 * RATE, f"the dashboard shows {shown} messages of inboxes a second")
    measured = rate([before, after + rest])
    expect(0.98 * RATE <= measured <= 1.02 * RATE, f"spring went at {measured:.0f} a second, not at {RATE}")
    fleet.settled(ONLINE, "spring, without those who are away")
    expect(fleet.counts["away"] == DEVICES - ONLINE, f"they did not stay away: {fleet.counts}")
    fleet.come_back()
    fleet.until("back again", lambda counts: counts["connected"] == DEVICES and counts["away"] == 0)
    fleet.settled(DEVICES, "spring, with those who were away")
    return measured


def page_shows(page: Page, output: Path) -> float:
    page.until("document.body.dataset.state === 'live'")
    sessions = tile(page, "Sessions").split(" ")[0]
    expect(sessions == f"{ONLINE:,}", f"the dashboard shows {sessions} sessions")
    shown = float(tile(page, "Of inboxes").split(" ")[0].replace(",", ""))
    screenshot(page, output / "dashboard-campaign.png")
    expect(not page.errors, f"the console says {page.errors}")
    return shown


def summer(server: Server, fleet: Fleet, received: int) -> int:
    """A campaign that is cancelled: who had it by then has it, and nobody else gets it."""
    campaign = Campaign(server, "summer")
    campaign.until(1_000)
    expect(campaign.steer("cancel")["state"] == "cancelled", "it is not cancelled")
    sent = campaign.steady()
    expect(1_000 <= sent < DEVICES - 1_000, f"{sent} had summer before it was cancelled")
    fleet.settled(received + sent, "summer, cancelled")
    return sent


def autumn(context: Context, server: Server, arguments: list[str], fleet: Fleet, received: int) -> Server:
    """A server that is killed in the middle: what it had counted is there; begun again, all have it once."""
    sent, _ = Campaign(server, "autumn").until(2_000)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    next_one = context.server("push-server", *arguments, port=server.port)
    fleet.until("come back to the next server", lambda counts: counts["connected"] == DEVICES, 60)
    fleet.until("what was counted before the kill", lambda counts: counts["received"] >= received + sent)
    again = Campaign(next_one, "autumn")
    again.until(DEVICES)
    now = again.now()
    expect((now["state"], now["sent"]) == ("finished", DEVICES), f"autumn ended as {now}")
    fleet.settled(received + DEVICES, "autumn, begun again")
    return next_one


def nothing_is_left(context: Context, server: Server) -> None:
    """Who comes anew finds an empty inbox: every device has acknowledged all."""
    fleet = Fleet(context, server, "--count", str(DEVICES), "--ramp", "2500", "--connecting", "200")
    fleet.until("come anew", lambda counts: counts["connected"] == DEVICES)
    time.sleep(1.2)
    expect(fleet.counts["received"] == 0, f"inboxes were not empty: {fleet.counts}")
    fleet.process.close()


def silent_devices(context: Context, server: Server) -> None:
    """What is not acknowledged comes again to who comes next."""
    users = [f"quiet-{number}" for number in range(20)]
    common = ["--count", "20", "--prefix", "quiet-"]
    fleet = Fleet(context, server, *common, "--silent", "100")
    fleet.until("quiet ones there", lambda counts: counts["connected"] == 20)
    Campaign(server, "winter", users)
    counts = fleet.until("quiet ones have it", lambda counts: counts["received"] == 20)
    expect(counts["acknowledged"] == 0, f"silent devices acknowledge: {counts}")
    fleet.process.close()
    fleet = Fleet(context, server, *common, "--expect", "1")
    expect(fleet.process.process.wait(20) == 0, f"what was not acknowledged does not come again: {fleet.counts}")


def check(context: Context) -> None:
    output = Path(context.options.output or os.environ.get("LONGWIRE_SCREENSHOTS") or tempfile.mkdtemp(prefix="campaign-"))
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "api.keys"
        keys.write_text(KEY)
        arguments = ["--api-key-file", str(keys), "--trust-names", "--dashboard", "--store", f"{folder}/push.sqlite"]
        server = context.server("push-server", *arguments)
        fleet = Fleet(
            context, server, "--count", str(DEVICES), "--offline", str(OFFLINE_PERCENT), "--ramp", "2500",
            "--connecting", "200",
        )
        with Browser() as browser:
            page = open_with_key(browser, f"http://127.0.0.1:{server.port}/dashboard", DESKTOP)
            fleet.until("there", lambda counts: (counts["connected"], counts["away"]) == (ONLINE, DEVICES - ONLINE), 60)
            measured = spring(server, fleet, page, output)
        received = DEVICES + summer(server, fleet, DEVICES)
        server = autumn(context, server, arguments, fleet, received)
        fleet.process.close()
        nothing_is_left(context, server)
        silent_devices(context, server)
        for process in context.servers:
            process.close()
    context.note(f"{DEVICES} devices, {measured:.1f} messages a second of {RATE}, screenshot in {output}")


if __name__ == "__main__":
    run(check, seconds_max=180, options=options)
