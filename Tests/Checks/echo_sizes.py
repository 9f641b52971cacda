#!/usr/bin/env python3
"""Message sizes at every edge of the length field, text and binary, whole and in pieces with pings between."""

import asyncio

from support.check import Context, expect, run
from websockets.asyncio.client import ClientConnection, connect

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20]
PIECES = range(1, 10)
ALPHABET = "aé€😀".encode()


def payload(size: int, is_text: bool) -> bytes:
    if not is_text:
        return (bytes(range(256)) * (size // 256 + 1))[:size]
    # Characters of 1 to 4 bytes, so that pieces cut through them; the rest that no character fits is ASCII.
    whole = size // len(ALPHABET)
    return ALPHABET * whole + b"x" * (size - whole * len(ALPHABET))


def cut(data: bytes, pieces: int) -> list[bytes]:
    """Pieces of unequal length, empty ones among them when there are fewer bytes than pieces."""
    step = len(data) // pieces
    edges = [min(len(data), index * step + (index % 3 if step > 3 else 0)) for index in range(pieces)] + [len(data)]
    edges[0] = 0
    return [data[start:end] for start, end in zip(edges, edges[1:])]


async def echo(socket: ClientConnection, data: bytes, is_text: bool, pieces: int) -> None:
    pongs = []

    async def with_pings():
        for piece in cut(data, pieces):
            yield piece
            pongs.append(await socket.ping())

    if pieces == 1:
        await socket.send(data, text=is_text)
    else:
        await socket.send(with_pings(), text=is_text)
    answer = await asyncio.wait_for(socket.recv(decode=False), 30)
    expect(answer == data, f"{len(data)} bytes in {pieces} pieces came back changed ({len(answer)} bytes)")
    for pong in pongs:
        await asyncio.wait_for(pong, 10)


async def kinds(url: str, is_text: bool) -> int:
    count = 0
    async with connect(url, compression=None, max_size=None, ping_interval=None, proxy=None) as socket:
        for size in SIZES:
            data = payload(size, is_text)
            expect(len(data) == size and b"".join(cut(data, 7)) == data, "the check's own payload")
            for pieces in PIECES:
                await echo(socket, data, is_text, pieces)
                count += 1
        # The kind comes back too: a text message is received as str.
        for is_text_now in (True, False):
            await socket.send(b"kind", text=is_text_now)
            answer = await asyncio.wait_for(socket.recv(), 10)
            expect(isinstance(answer, str) == is_text_now, "the kind of the message changed")
    expect(socket.close_code == 1000, f"closed with {socket.close_code} instead of 1000")
    return count


async def check(context: Context) -> None:
    server = context.server("ws-echo")
    counts = await asyncio.gather(kinds(server.url("/any/path"), True), kinds(server.url(), False))
    context.note(f"{sum(counts)} messages")


if __name__ == "__main__":
    run(check, seconds_max=120)
