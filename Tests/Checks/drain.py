#!/usr/bin/env python3
"""SIGTERM with 1,000 clients: each gets close 1001, the server exits with 0 within its deadline."""

import asyncio
import time
from collections import Counter

from support.chat import PATH, ChatClient, gather_bounded, source_address
from support.check import Context, expect, run
from support.raw_websocket import RawConnection
from websockets.exceptions import ConnectionClosed

CLIENTS = 1_000
DEADLINE_SECONDS = 15  # the server's own deadline, and some for a busy machine


async def close_code(client: ChatClient) -> int:
    try:
        while True:
            await client.socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


async def check(context: Context) -> None:
    server = context.server("chat-server", *([] if context.options.server else ["--max-connections", "5000"]))

    def enter(index: int):
        return lambda: ChatClient.enter(
            server.url(PATH), f"client-{index}", f"room-{index % 7}", source=source_address(index)
        )

    clients = await gather_bounded([enter(index) for index in range(CLIENTS)], at_once=64)
    # Two that will not answer the close: one upgraded and silent, one in the middle of its request.
    with RawConnection(server.port) as silent, RawConnection(server.port) as halfway:
        silent.upgrade(PATH)
        halfway.send(b"GET /ws HTTP/1.1\r\nHost:")
        codes = [asyncio.create_task(close_code(client)) for client in clients]
        started = time.monotonic()
        server.terminate()
        results = Counter(await asyncio.wait_for(asyncio.gather(*codes), DEADLINE_SECONDS))
        all_closed = time.monotonic() - started
        try:
            status = await asyncio.to_thread(server.process.wait, max(1, DEADLINE_SECONDS - all_closed))
        except Exception:
            status = None
        took = time.monotonic() - started
    expect(results == {1001: CLIENTS}, f"close codes {dict(results)} instead of 1001 for all")
    expect(status is not None, f"the server did not exit within {DEADLINE_SECONDS} s")
    expect(status == 0, f"exit code {status} instead of 0")
    context.note(f"{CLIENTS} closes with 1001 in {all_closed:.1f} s, exit after {took:.1f} s")


if __name__ == "__main__":
    run(check, seconds_max=120)
