#!/usr/bin/env python3
"""1 GiB is streamed each way through a window of 256 KiB: the server's memory grows by that and what is under way, and a
stream that nobody reads slows no call beside it on the same connection."""

import statistics
import struct
import time

from support.check import Context, expect, run
from ttrpc_streams import CLOSED, DATA, NO_DATA, OPEN, REQUEST, RESPONSE, SETTINGS, WINDOW, Client, field, fields

TOTAL = 1 << 30
WINDOW_BYTES = 256 << 10
# The window; what is under way beside it in messages of 64 KiB: the one that goes beyond, the frame that arrives in
# parts, the one that the reader or the writer holds; and a loop's buffer for the writes of a turn, touched for the first
# time.
GROWTH_MAX = WINDOW_BYTES + (256 << 10) + (256 << 10)
CALLS, CALL_SECONDS_MAX = 200, 0.25
# What the median of calls beside a stream may be of that without one, and what the machine may add to either.
MEDIAN_RATIO_MAX, MEDIAN_SECONDS_MORE = 3, 0.001


def call(client: Client, method: bytes, payload: bytes, flags: int = 0, metadata: bytes = b"") -> int:
    stream, client.next_id = client.next_id, client.next_id + 2
    client.send(
        REQUEST, stream, flags, field(1, b"bench.Echo") + field(2, method) + field(3, payload) + metadata
    )
    return stream


def negotiate(client: Client) -> dict:
    hello = call(client, b"Echo", b"x", metadata=field(5, field(1, b"longwire-ext") + field(2, b"1")))
    kind, _, _, data = client.frame()
    expect(kind == SETTINGS, "settings come first")
    kind, stream, _, _ = client.frame()
    expect((kind, stream) == (RESPONSE, hello), "the reply after the settings")
    # No messages in pieces: every frame is a message.
    client.send(SETTINGS, 0, 0, struct.pack(">HIHIHI", 1, 1, 2, WINDOW_BYTES, 3, 1 << 30))
    return dict(struct.unpack(">HI", data[start : start + 6]) for start in range(0, len(data), 6))


def call_times(client: Client, when: str) -> list[float]:
    times = []
    for _ in range(CALLS):
        before = time.monotonic()
        echo = call(client, b"Echo", b"beside")
        kind, got, _, _ = client.frame()
        expect((kind, got) == (RESPONSE, echo), f"frame {kind} on {got} {when}")
        times.append(time.monotonic() - before)
    return times


def flood(context: Context, client: Client, server) -> None:
    alone = statistics.median(call_times(client, "without a stream"))
    before = most = server.anonymous_bytes()
    stream = call(client, b"Flood", str(TOTAL).encode(), CLOSED)
    # Until the window is full; then calls beside it, while nobody reads the stream.
    received = 0
    while received + (received >> 16) * 10 < WINDOW_BYTES:
        kind, got, _, data = client.frame()
        expect((kind, got) == (DATA, stream), f"frame {kind} on {got}")
        received += len(data)
    times = call_times(client, "although the window is full")
    beside, slowest = statistics.median(times), max(times)
    expect(slowest < CALL_SECONDS_MAX, f"a call beside the stream took {slowest * 1000:.0f} ms")
    expect(
        beside <= MEDIAN_RATIO_MAX * alone + MEDIAN_SECONDS_MORE,
        f"the median of calls was {alone * 1000:.2f} ms without the stream, {beside * 1000:.2f} ms beside it",
    )
    most = max(most, server.anonymous_bytes())
    client.send(WINDOW, stream, 0, struct.pack(">I", received + (received >> 16) * 10))
    since, frames = 0, 0
    while True:
        kind, got, flags, data = client.frame()
        expect((kind, got) == (DATA, stream), f"frame {kind} on {got}")
        if flags & CLOSED:
            break
        received += len(data)
        since += len(data) + 10
        frames += 1
        if since >= WINDOW_BYTES // 2:
            for to in (stream, 0):
                client.send(WINDOW, to, 0, struct.pack(">I", since))
            since = 0
        if frames % 1024 == 0:
            most = max(most, server.anonymous_bytes())
    expect(received == TOTAL, f"{received} bytes came")
    expect(most - before < GROWTH_MAX, f"the server grew by {(most - before) >> 10} KiB")
    context.note(
        f"to the client: server grew by {(most - before) >> 10} KiB; median of {CALLS} calls {alone * 1000:.2f} ms, "
        f"beside the stream {beside * 1000:.2f} ms, slowest {slowest * 1000:.1f} ms"
    )


def drain(context: Context, client: Client, server, settings: dict) -> None:
    before = most = server.anonymous_bytes()
    stream = call(client, b"Drain", b"", OPEN)
    credit = {stream: settings[2], 0: settings[3]}
    message = b"d" * (64 << 10)
    for number in range(TOTAL // len(message)):
        while min(credit.values()) <= 0:
            kind, got, _, data = client.frame()
            expect(kind == WINDOW and got in credit, f"frame {kind} on {got} where credit was due")
            credit[got] += struct.unpack(">I", data)[0]
        for place in credit:
            credit[place] -= len(message) + 10
        client.send(DATA, stream, 0, message)
        if number % 1024 == 0:
            most = max(most, server.anonymous_bytes())
    client.send(DATA, stream, CLOSED | NO_DATA)
    while True:
        kind, got, _, data = client.frame()
        if kind != WINDOW:
            break
    expect((kind, got) == (RESPONSE, stream), f"frame {kind} on {got}")
    expect(fields(data).get(2) == str(TOTAL).encode(), f"the server counted {fields(data)}")
    expect(most - before < GROWTH_MAX, f"the server grew by {(most - before) >> 10} KiB")
    context.note(f"from the client: server grew by {(most - before) >> 10} KiB")


def check(context: Context) -> None:
    # What malloc keeps by thread is not the stream's.
    server = context.server("rpc-bench", environment={"MALLOC_ARENA_MAX": "1"})
    client = Client(server.port)
    settings = negotiate(client)
    flood(context, client, server)
    drain(context, client, server, settings)


if __name__ == "__main__":
    run(check, seconds_max=180)
