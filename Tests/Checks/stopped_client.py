#!/usr/bin/env python3
"""One client's process is stopped while 100 others chat: they notice nothing, it is closed, memory stays bounded."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from support.chat import MESSAGE_BYTES_MAX, PATH, SEND_QUEUE_BYTES_MAX, ChatClient, gather_bounded, hello, join
from support.chat import message, source_address
from support.check import Context, expect, run
from support.raw_websocket import TEXT, Ended, RawConnection, frame

ROOM = "crowd"
CLIENTS = 100
STOPPED = "stopped"
TEXT_CHARACTERS = 2_000
ROUNDS_MAX = 20  # every client speaks once a round; the stopped one is closed long before
LATENCY_SECONDS_MAX = 3
RESIDENT_GROWTH_BYTES_MAX = 8 << 20


def stopped_client(port: int) -> None:
    """The process that will be stopped: in the room with a small receive buffer, then reading as fast as it can."""
    with RawConnection(port, receive_buffer_bytes=16_384, seconds_max=60) as connection:
        connection.upgrade(PATH)
        connection.send(frame(TEXT, hello(STOPPED).encode()) + frame(TEXT, join(ROOM).encode()))
        while b'"subscribed"' not in connection.read_frame()[1]:
            pass
        print("joined", flush=True)
        try:
            while True:
                connection.read_frame()
        except (Ended, ConnectionError) as ended:
            print(f"ended {type(ended).__name__}", flush=True)
        except TimeoutError:
            print("still open", flush=True)


class Crowd:
    """What the 100 receive, and whether the server has told them that the stopped one is gone."""

    def __init__(self, clients: list[ChatClient]):
        self.clients = clients
        self.received = [0] * len(clients)
        self.slowest = 0.0
        self.stopped_left = asyncio.Event()
        self.wrong_order = 0

    async def listen(self, index: int) -> None:
        last = None
        while True:
            data = await self.clients[index].socket.recv()
            fields = message(data) if '"type":"publication"' in data[:400] else None
            if fields is None:
                other = json.loads(data)
                if other["type"] == "presence" and STOPPED in other["left"]:
                    self.stopped_left.set()
                continue
            if last is not None and fields["offset"] != last + 1:
                self.wrong_order += 1
            last = fields["offset"]
            self.received[index] += 1
            sent_at = float(fields["text"].partition(" ")[0])
            self.slowest = max(self.slowest, time.monotonic() - sent_at)

    async def speak(self, index: int, filler: str) -> None:
        await self.clients[index].say(f"{time.monotonic()} {filler}")

    async def all_received(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while min(self.received) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"one of the others got {min(self.received)} of {count} messages")
            await asyncio.sleep(0.01)


async def check(context: Context) -> None:
    server = context.server("chat-server")

    def enter(index: int):
        return lambda: ChatClient.enter(server.url(PATH), f"c{index}", ROOM, source=source_address(index))

    crowd = Crowd(await gather_bounded([enter(index) for index in range(CLIENTS)], at_once=20))
    listeners = [asyncio.create_task(crowd.listen(index)) for index in range(CLIENTS)]
    stopped = subprocess.Popen(
        [sys.executable, __file__, "--stopped", str(server.port)], stdout=subprocess.PIPE, text=True
    )
    try:
        expect(await asyncio.to_thread(stopped.stdout.readline) == "joined\n", "the client to be stopped did not join")
        # Three bytes a character in UTF-8, so that few messages make much traffic.
        filler = "€" * (TEXT_CHARACTERS - 30)
        expect(len(filler) * 3 < MESSAGE_BYTES_MAX, "the check's own message is too big")
        await asyncio.gather(*(crowd.speak(index, filler) for index in range(CLIENTS)))
        await crowd.all_received(CLIENTS)
        before = server.resident_bytes()

        os.kill(stopped.pid, signal.SIGSTOP)
        said, resident_max = CLIENTS, before
        for _ in range(ROUNDS_MAX):
            await asyncio.gather(*(crowd.speak(index, filler) for index in range(CLIENTS)))
            said += CLIENTS
            await crowd.all_received(said)
            resident_max = max(resident_max, server.resident_bytes())
            if crowd.stopped_left.is_set():
                break
        # It does not read its close frame either, and is cut off 5 s later.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(crowd.stopped_left.wait(), 10)
        for listener in listeners:
            expect(not listener.done(), "one of the others lost its connection")
        expect(crowd.stopped_left.is_set(), f"the stopped client was not closed within {said} messages")
        queued = (said - CLIENTS) * len(filler) * 3
        expect(queued > SEND_QUEUE_BYTES_MAX, "the stopped client was closed before its queue could be full")
        expect(crowd.wrong_order == 0, "the others' messages came out of order")
        expect(crowd.slowest < LATENCY_SECONDS_MAX, f"a message took {crowd.slowest:.1f} s to one of the others")
        growth = resident_max - before
        expect(growth < RESIDENT_GROWTH_BYTES_MAX, f"the server grew by {growth >> 20} MiB")

        os.kill(stopped.pid, signal.SIGCONT)
        end = await asyncio.wait_for(asyncio.to_thread(stopped.stdout.readline), 70)
        expect(end.startswith("ended"), f"the stopped client's connection: {end.strip()}")
        context.note(
            f"closed after {queued / 2**20:.1f} MiB, slowest delivery {crowd.slowest * 1000:.0f} ms, "
            f"server grew by {growth / 2**20:.1f} MiB"
        )
    finally:
        stopped.kill()
        stopped.wait()
        for listener in listeners:
            listener.cancel()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stopped"]:
        stopped_client(int(sys.argv[2]))
    else:
        run(check, seconds_max=240)
