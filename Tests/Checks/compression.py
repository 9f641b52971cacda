#!/usr/bin/env python3
"""permessage-deflate against another implementation: every mode of ws-echo, every kind of offer, sizes and fragments."""

import asyncio
import itertools

from support.check import Context, expect, run
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SIZES = [0, 1, 31, 32, 255, 256, 5_000, 70_000, 1 << 20]
OFFERS = [
    {},
    {"client_max_window_bits": True},
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_max_window_bits": 9, "client_max_window_bits": 9},
    {"server_max_window_bits": 12, "client_max_window_bits": 15, "client_no_context_takeover": True},
    {"server_no_context_takeover": True, "client_no_context_takeover": True, "client_max_window_bits": True},
]
WORDS = ["alpha", "é", "😀", '{"id":', "}", " ", "12345"]


def text(size: int) -> str:
    """About `size` bytes that compress, different from their start to their end."""
    parts = []
    length = 0
    for index in itertools.count():
        if length >= size:
            return "".join(parts)
        part = WORDS[index * index % len(WORDS)] + str(index % 97)
        parts.append(part)
        length += len(part.encode())


async def echo(url: str, offer: dict, mode: str) -> int:
    factory = ClientPerMessageDeflateFactory(**{"client_max_window_bits": None, **offer})
    count = 0
    async with connect(
        url, compression=None, extensions=[factory], max_size=None, ping_interval=None, proxy=None
    ) as socket:
        agreed = [extension.name for extension in socket.protocol.extensions]
        expect((agreed == ["permessage-deflate"]) == (mode != "off"), f"{mode}: {offer} was answered with {agreed}")
        # A client that does not offer to be bound keeps no context where its window must be small.
        if mode == "context" and "client_max_window_bits" not in offer:
            expect(socket.protocol.extensions[0].local_no_context_takeover, f"{offer} keeps a context")
        for size in SIZES:
            message = text(size)
            binary = bytes(index * 7 % 251 for index in range(size % 70_001))
            for sent in (message, binary, message):
                await socket.send(sent)
                expect(await asyncio.wait_for(socket.recv(), 30) == sent, f"{mode}: {size} bytes came back changed")
                count += 1
            third = len(message) // 3
            await socket.send([message[:third], message[third : 2 * third], message[2 * third :]])
            expect(await asyncio.wait_for(socket.recv(), 30) == message, f"{mode}: {size} bytes in three pieces changed")
            count += 1
    expect(socket.close_code == 1000, f"closed with {socket.close_code} instead of 1000")
    return count


async def check(context: Context) -> None:
    count = 0
    for mode in ("shared", "context", "off"):
        server = context.server("ws-echo", "--compression", mode)
        count += sum(await asyncio.gather(*(echo(server.url(), offer, mode) for offer in OFFERS)))
    context.note(f"{count} messages")


if __name__ == "__main__":
    run(check, seconds_max=180)
