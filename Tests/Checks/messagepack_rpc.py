#!/usr/bin/env python3
"""MessagePack-RPC with a client of PyPI's msgpack: answers out of order, calls back, notifications, errors, broken input."""

import asyncio
import itertools
import random

import msgpack

from support.check import Context, expect, run


class Client:
    """Requests, responses and notifications over a stream; msgpack does the bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.ids = itertools.count(1)
        self.waiting: dict[int, asyncio.Future] = {}
        self.order: list[int] = []
        self.notifications: asyncio.Queue = asyncio.Queue()
        self.task = asyncio.create_task(self.receive())

    async def receive(self) -> None:
        unpacker = msgpack.Unpacker(raw=False)
        while data := await self.reader.read(65_536):
            unpacker.feed(data)
            for message in unpacker:
                match message:
                    case [0, number, "shout", [text]]:
                        self.send([1, number, None, text.upper()])
                    case [0, number, method, _]:
                        self.send([1, number, f"no {method} here", None])
                    case [1, number, error, result]:
                        self.order.append(number)
                        self.waiting.pop(number).set_result((error, result))
                    case [2, method, parameters]:
                        self.notifications.put_nowait((method, parameters))
        for future in self.waiting.values():
            future.set_exception(ConnectionError("the server ended the connection"))

    def send(self, message) -> None:
        self.writer.write(msgpack.packb(message))

    def start(self, method: str, *parameters) -> asyncio.Future:
        number = next(self.ids)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        self.send([0, number, method, list(parameters)])
        return self.waiting[number]

    async def call(self, method: str, *parameters):
        return await asyncio.wait_for(self.start(method, *parameters), 20)

    async def close(self) -> None:
        self.writer.close()
        await self.task


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


async def check(context: Context) -> None:
    port = context.server("messagepack-peer").port
    client = await connect(port)
    expect(await client.call("add", 2, -5) == (None, -3), "2 + -5")
    for value in ["", "grüße", b"", bytes(range(256)) * 300, "x" * 70_000]:
        expect(await client.call("echo", value) == (None, value), f"echo of {len(value)}")
    expect(await client.call("sleep", 1) == (None, None), "a method without a result")
    expect(await client.call("fail", "broken") == ("broken", None), "an error")
    error, _ = await client.call("nothing")
    expect(error == "no method nothing", f"an unknown method: {error}")
    error, _ = await client.call("add", 1)
    expect(error.startswith("the parameters do not fit"), f"a parameter too few: {error}")

    # Answers come as they end, many in flight.
    slow = client.start("sleep", 300)
    answers = await asyncio.gather(*(client.call("add", number, number) for number in range(2_000)))
    expect(answers == [(None, 2 * number) for number in range(2_000)], "2,000 calls in flight")
    expect(not slow.done(), "a slow call held back the others")
    expect(await slow == (None, None), "the slow call")

    expect(await client.call("relay", "shout", "abc") == (None, "ABC"), "a call back")
    error, _ = await client.call("relay", "whisper", "abc")
    expect("no whisper here" in error, f"a call back that fails: {error}")

    client.send([2, "repeat", [3, "n"]])
    heard = [await asyncio.wait_for(client.notifications.get(), 20) for _ in range(3)]
    expect(heard == [("again", [number, "n"]) for number in range(3)], f"notifications: {heard}")

    await cut(port)
    await broken(port)
    expect(await client.call("add", 1, 1) == (None, 2), "the first client after all that")
    await client.close()
    context.note("2,000 in flight")


async def cut(port: int) -> None:
    """A request that comes byte by byte."""
    client = await connect(port)
    future = asyncio.get_running_loop().create_future()
    client.waiting[7] = future
    for byte in msgpack.packb([0, 7, "add", [40, 2]]):
        client.writer.write(bytes([byte]))
        await client.writer.drain()
        await asyncio.sleep(0.002)
    expect(await asyncio.wait_for(future, 20) == (None, 42), "a request in pieces")
    await client.close()


async def broken(port: int) -> None:
    """What is no MessagePack-RPC ends its own connection, and nothing else."""
    draw = random.Random(1)
    inputs = [b"\xc1", b"GET / HTTP/1.1\r\n\r\n", msgpack.packb([5, 1, "add", []]), msgpack.packb([0, -1, "add", []])]
    inputs += [b"\x94\x00\x01\xdb\xff\xff\xff\xff", b"\x91" * 200, b"\xdd\xff\xff\xff\xff"]
    inputs += [b"\xc1" + draw.randbytes(100) for _ in range(20)]
    for data in inputs:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        try:
            ended = await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            ended = b""
        expect(ended == b"", f"{data[:20]!r} was answered: {ended!r}")
        writer.close()


if __name__ == "__main__":
    run(check, seconds_max=120)
