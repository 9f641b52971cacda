#!/usr/bin/env python3
"""kill -9 of push-server amid sends and deliveries, again and again: all that was answered arrives, and what was
acknowledged and answered for does not come again for ever."""

import asyncio
import json
import random
import signal
import tempfile
import time
from pathlib import Path

import requests
from support.check import Context, expect, run
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

KEY = "a-key-of-the-push-crash-check"
KILLS, KILLS_FULL = 50, 200
SECONDS = (0.05, 0.4)
USERS = 8
SENDERS = 4


class Ledger:
    """What was answered, and what arrived."""

    def __init__(self) -> None:
        self.answered: set[tuple[str, str]] = set()
        self.arrived: set[tuple[str, str]] = set()
        self.deliveries = 0


def send_until_gone(port: int, sender: int, round_: int, ledger: Ledger) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {KEY}"
    number = 0
    while True:
        user, text = f"user-{number % USERS}", f"{round_}/{sender}/{number}"
        number += 1
        try:
            answer = session.post(
                f"http://127.0.0.1:{port}/api/v1/send",
                json={"user": user, "text": text, "idempotency_key": text}, timeout=10,
            )
        except requests.RequestException:
            return
        if answer.status_code in (200, 201):
            ledger.answered.add((user, text))
        elif answer.status_code not in (429, 503):
            raise RuntimeError(f"send was answered {answer.status_code} {answer.text}")


async def receive(port: int, user: str, ledger: Ledger) -> None:
    """A device: acknowledges most of what comes, comes back when it is lost, and ends when it is cancelled."""
    chance = random.Random(user)
    while True:
        try:
            async with connect(
                f"ws://127.0.0.1:{port}/ws?user={user}&device=check", subprotocols=["push.v1.json"],
                compression=None, proxy=None,
            ) as socket:
                async for text in socket:
                    envelope = json.loads(text)
                    if envelope["type"] != "inbox":
                        continue
                    ledger.deliveries += 1
                    ledger.arrived.add((user, envelope["text"]))
                    if chance.random() < 0.95:
                        await socket.send(json.dumps({"type": "acknowledge", "ids": [envelope["inbox"]]}))
        except (OSError, WebSocketException):
            await asyncio.sleep(0.05)


async def rounds(kills: int, start, port: int, ledger: Ledger, chance: random.Random) -> None:
    devices = [asyncio.create_task(receive(port, f"user-{number}", ledger)) for number in range(USERS)]
    for round_ in range(kills):
        server = await asyncio.to_thread(start)
        senders = [asyncio.to_thread(send_until_gone, port, sender, round_, ledger) for sender in range(SENDERS)]
        gathered = asyncio.gather(*senders)
        await asyncio.sleep(chance.uniform(*SECONDS))
        server.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(server.process.wait)
        await gathered
    await asyncio.to_thread(start)
    deadline = time.monotonic() + 60
    while not ledger.answered <= ledger.arrived and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    for device in devices:
        device.cancel()
    await asyncio.gather(*devices, return_exceptions=True)


def check(context: Context) -> None:
    seed = time.time_ns()
    ledger = Ledger()
    kills = KILLS_FULL if context.options.full else KILLS
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "api.keys"
        keys.write_text(KEY)
        arguments = ["--api-key-file", str(keys), "--trust-names", "--store", f"{folder}/push.sqlite"]
        first = context.server("push-server", *arguments)
        port = first.port
        started = [first]

        def start():
            if started:
                return started.pop()
            return context.server("push-server", *arguments, port=port)

        asyncio.run(rounds(kills, start, port, ledger, random.Random(seed)))
        missing = ledger.answered - ledger.arrived
        expect(not missing, f"seed {seed}: {len(missing)} of {len(ledger.answered)} are missing: {sorted(missing)[:5]}")
        expect(len(ledger.answered) > kills * 10, f"only {len(ledger.answered)} were answered")
        for server in context.servers:
            server.close()
    context.note(f"{kills} kills, {len(ledger.answered)} answered, {ledger.deliveries} deliveries, none missing")


if __name__ == "__main__":
    run(check, seconds_max=420)
