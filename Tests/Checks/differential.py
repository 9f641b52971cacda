#!/usr/bin/env python3
"""Plays seeded conversations to our server and client and to those of websockets and wsproto; all must agree.

What each got (messages in order), what it answered (pongs in order) and the code it closed with are compared.
"""

import argparse
import asyncio
import base64
import hashlib
import socket
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import wsproto
from support.check import Context, expect, run
from support.raw_websocket import BINARY, CLOSE, PONG, TEXT, upgrade_request
from support.scripts import Script, fresh_seed, script
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from wsproto import events
from wsproto.extensions import PerMessageDeflate

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MESSAGE_BYTES_MAX = 16 << 20
SECONDS_MAX = 20
ANSWER_SECONDS_MAX = 2
WALKER_QUERY = b"/runCase?case="
NO_TAKEOVER = "; server_no_context_takeover; client_no_context_takeover"
# What the playing side says of permessage-deflate, by --compression: as a client, and as a server.
OFFER = {
    "off": None, "shared": "permessage-deflate" + NO_TAKEOVER, "context": "permessage-deflate; client_max_window_bits",
}
# An answer's client_max_window_bits needs a value (RFC 7692 §7.1.2.2); without one the client's window has 15 bits.
ANSWER = {"off": None, "shared": "permessage-deflate" + NO_TAKEOVER, "context": "permessage-deflate"}


@dataclass(frozen=True)
class Allowed:
    """Where a peer may differ from us, and why that is right of us."""

    peer: str
    title: str
    close: int
    messages_more: int
    rule: str


ALLOWED = [
    Allowed("websockets", "a length not minimal", 1000, 1,
            "RFC 6455 §5.2: the minimal number of bytes MUST be used; websockets takes any, and the message"),
    Allowed("websockets", "a length of 64 bits", 1009, 0,
            "RFC 6455 §5.2: the most significant bit MUST be 0, so 1002; websockets finds it too long first"),
]


@dataclass
class Seen:
    """What one side made of a script."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None


# ---- The wire, from the side that plays


class Wire:
    """A connection after its upgrade: plays a script and reads the answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        # One window serves both takeovers: without any, nothing points back to an earlier message.
        self.inflater = zlib.decompressobj(-15)
        self.is_compressed = False
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def play(self, script: Script, seen: Seen, ready) -> None:
        """Plays all but the end, waits until `ready()`, then plays the end."""
        answers = asyncio.create_task(self.read(seen))
        try:
            for start, end in ((0, script.last), (script.last, len(script.data))):
                for piece in script.pieces(start, end):
                    self.writer.write(piece)
                    await self.writer.drain()
                    await asyncio.sleep(0)
                if start == 0:
                    await until(lambda: ready() or answers.done())
        except ConnectionError:
            pass  # The other side has ended it, which the answers tell.
        try:
            await asyncio.wait_for(answers, ANSWER_SECONDS_MAX)
        except TimeoutError:
            pass  # It waits for more, and so has closed with nothing.
        self.writer.close()

    async def read(self, seen: Seen) -> None:
        """Reads frames until the close or the end of the connection."""
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    seen.close = struct.unpack("!H", payload[:2])[0] if payload else 1005
                    return
                if opcode == PONG:
                    seen.pongs.append(payload)
                elif opcode in (TEXT, BINARY):
                    if self.is_compressed:
                        payload = self.inflater.decompress(payload + b"\0\0\xff\xff")
                    seen.messages.append((opcode, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.close = 1006

    async def frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        expect(first & 0xB0 == 0x80, f"an answer's first byte is {first:#x}")
        self.is_compressed = first & 0x40 != 0
        count = second & 0x7F
        if count > 125:
            count = int.from_bytes(await self.reader.readexactly(2 if count == 126 else 8), "big")
        key = await self.reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
        payload = await self.reader.readexactly(count)
        pad = (key * (count // 4 + 1))[:count]
        return first & 0x0F, (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(count, "big")


async def until(condition) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():
            await asyncio.sleep(0.001)


def upgrade_offering(compression: str) -> bytes:
    extension = OFFER[compression]
    head = upgrade_request("/")
    return head if extension is None else head[:-2] + f"Sec-WebSocket-Extensions: {extension}\r\n\r\n".encode()


async def play_to_server(port: int, script: Script, seen: Seen, received: list | None, compression: str) -> None:
    """Plays as a client; `received` is where a server of theirs notes its messages, ours echoes them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(upgrade_offering(compression))
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    is_agreed = b"permessage-deflate" in answer
    expect(is_agreed == (compression != "off"), f"another compression was agreed on: {answer!r}")
    messages = seen.messages if received is None else received
    await Wire(reader, writer).play(script, seen, lambda: len(messages) >= script.messages)
    if received is not None:
        seen.messages = list(received)


async def accept_upgrade(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, compression: str
) -> tuple[bytes, bool]:
    """Answers a client's upgrade with 101; returns its target and whether compression was agreed on."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")).split(b": ")[1]
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    is_agreed = ANSWER[compression] is not None and b"permessage-deflate" in head
    extension = f"Sec-WebSocket-Extensions: {ANSWER[compression]}\r\n".encode() if is_agreed else b""
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extension + b"\r\n")
    return head.split(b" ")[1], is_agreed


# ---- Theirs


async def websockets_notes(connection, received: list) -> None:
    try:
        while True:
            message = await connection.recv()
            received.append((TEXT, message.encode()) if isinstance(message, str) else (BINARY, message))
    except ConnectionClosed:
        pass


def wsproto_extensions(compression: str, is_client: bool) -> list:
    if compression == "off":
        return []
    extension = PerMessageDeflate()
    if is_client:
        extension.offer()
        extension.finalize(ANSWER[compression])
    else:
        extension.accept(OFFER[compression])
    return [extension]


async def wsproto_notes(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_client: bool, received: list, compression: str
) -> None:
    """Runs wsproto behind an upgrade that was done already."""
    kind = wsproto.connection.ConnectionType.CLIENT if is_client else wsproto.connection.ConnectionType.SERVER
    connection = wsproto.connection.Connection(kind, extensions=wsproto_extensions(compression, is_client))
    parts, opcode = [], TEXT
    while True:
        try:
            data = await reader.read(65_536)
        except ConnectionError:
            return
        try:
            connection.receive_data(data or None)
            for event in connection.events():
                match event:
                    case events.TextMessage() | events.BytesMessage():
                        opcode = TEXT if isinstance(event, events.TextMessage) else BINARY
                        parts.append(event.data.encode() if opcode == TEXT else bytes(event.data))
                        if event.message_finished:
                            received.append((opcode, b"".join(parts)))
                            parts = []
                    case events.Ping():
                        writer.write(connection.send(event.response()))
                    case events.CloseConnection() if connection.state is not wsproto.connection.ConnectionState.CLOSED:
                        writer.write(connection.send(event.response()))
                        writer.close()
                        return
                    case events.CloseConnection():
                        return
        except wsproto.utilities.RemoteProtocolError as violation:
            answer = violation.event_hint or events.CloseConnection(code=1002)
            writer.write(connection.send(answer))
            writer.close()
            return


async def their_server(name: str, script: Script, compression: str) -> Seen:
    seen, received = Seen(), []
    deflate = None if compression == "off" else "deflate"
    if name == "websockets":
        settings = {"compression": deflate, "max_size": MESSAGE_BYTES_MAX, "ping_interval": None, "max_queue": None}
        async with serve(lambda socket: websockets_notes(socket, received), "127.0.0.1", 0, **settings) as server:
            await play_to_server(port_of(server), script, seen, received, compression)
        return seen

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer, compression)
        await wsproto_notes(reader, writer, False, received, compression)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        await play_to_server(port_of(server), script, seen, received, compression)
    return seen


async def their_client(name: str, script: Script, compression: str) -> Seen:
    seen, received = Seen(), []
    deflate = None if compression == "off" else "deflate"
    played = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await accept_upgrade(reader, writer, compression)
            await Wire(reader, writer).play(script, seen, lambda: len(received) >= script.messages)
            played.set_result(None)
        except BaseException as problem:  # noqa: BLE001 - told where it is waited for
            played.set_exception(problem)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = port_of(server)
        if name == "websockets":
            settings = {"compression": deflate, "max_size": MESSAGE_BYTES_MAX, "ping_interval": None, "max_queue": None}
            async with connect(f"ws://127.0.0.1:{port}/", proxy=None, **settings) as client:
                await websockets_notes(client, received)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(upgrade_offering(compression))
            await reader.readuntil(b"\r\n\r\n")
            await wsproto_notes(reader, writer, True, received, compression)
        await played
    seen.messages = list(received)
    return seen


def port_of(server) -> int:
    return next(iter(server.sockets)).getsockname()[1]


# ---- Ours


async def our_clients(context: Context, scripts: list[Script], compression: str) -> list[Seen]:
    """Lets ws-walker visit a case for each script; it echoes every message."""
    all_seen = [Seen() for _ in scripts]
    problems = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target, is_agreed = await accept_upgrade(reader, writer, compression)
            expect(is_agreed == (compression != "off"), "ws-walker does not offer compression")
            if target.startswith(WALKER_QUERY):
                number = int(target[len(WALKER_QUERY):].split(b"&")[0]) - 1
                seen = all_seen[number]
                ready = lambda: len(seen.messages) >= scripts[number].messages  # noqa: E731
                await Wire(reader, writer).play(scripts[number], seen, ready)
                return
            count = str(len(scripts)).encode()
            writer.write(b"\x81" + bytes([len(count)]) + count + b"\x88\x02\x03\xe8")
            # Its close frame; then the server closes first (RFC 6455 §7.1.1).
            await reader.read(1_024)
            writer.close()
        except Exception as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        command = [str(Path(context.options.bin) / "ws-walker"), "--port", str(port_of(server))]
        pipe = asyncio.subprocess.PIPE
        walker = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        _, err = await asyncio.wait_for(walker.communicate(), 240)
    expect(walker.returncode == 0, f"ws-walker: exit code {walker.returncode}: {err.decode()!r}")
    expect(not problems, f"playing to ws-walker: {problems[:3]!r}")
    return all_seen


# ---- Comparing


def peers(script: Script) -> list[str]:
    # RFC 7692 §6.1: only a message's first frame says that it is compressed, and control frames may stand between its
    # fragments (RFC 6455 §5.4). wsproto forgets it at a control frame, and so says nothing of such a script.
    return ["websockets"] if script.parts_compressed else ["websockets", "wsproto"]


def differences(whose: str, script: Script, ours: Seen, theirs: Seen) -> list[str]:
    where = f"seed {script.seed} ({script.title}), {whose}"
    found = []
    allowed = next((it for it in ALLOWED if whose.startswith(it.peer) and script.title == it.title), None)
    more = allowed.messages_more if allowed is not None else 0
    if ours.messages != theirs.messages[: len(theirs.messages) - more]:
        found.append(f"{where}: {len(ours.messages)} messages, theirs {len(theirs.messages)}, of {script.messages}")
    pongs = theirs.pongs
    if script.title.startswith("text with"):
        # We fail at the first bad byte (RFC 6455 §8.1, and §7.1.7 lets us); wsproto at the frame's end, websockets at
        # the message's. What they answer in between we do not.
        pongs = pongs[: len(ours.pongs)]
    if ours.pongs != pongs:
        found.append(f"{where}: {len(ours.pongs)} pongs, theirs {len(theirs.pongs)}")
    if ours.close != theirs.close and (allowed is None or allowed.close != theirs.close):
        found.append(f"{where}: closed with {ours.close}, theirs with {theirs.close}")
    return found


async def check(context: Context) -> None:
    options = context.options
    seeds = [options.seed] if options.seed is not None else [options.first + index for index in range(options.count)]
    modes = [options.compression] if options.compression is not None else list(OFFER)
    for compression in modes:
        await compare(context, seeds, compression)
    context.note(f"{len(seeds)} seeds from {seeds[0]}, compression {', '.join(modes)}")


async def compare(context: Context, seeds: list[int], compression: str) -> None:
    found = []
    arguments = ["--loops", "1"] if compression == "off" else ["--loops", "1", "--compression", compression]
    port = context.server("ws-echo", *arguments).port
    for seed in seeds:
        played = script(seed, is_client=True, compression=compression)
        ours = Seen()
        await play_to_server(port, played, ours, None, compression)
        for name in peers(played):
            found += differences(f"{name} server", played, ours, await their_server(name, played, compression))
    # ws-walker offers both contexts, and takes over what the answer leaves of them.
    scripts = [script(seed, is_client=False, compression=compression) for seed in seeds]
    for played, ours in zip(scripts, await our_clients(context, scripts, compression)):
        for name in peers(played):
            found += differences(f"{name} client", played, ours, await their_client(name, played, compression))
    for difference in found[:40]:
        print(f"  {difference}")
    expect(not found, f"{len(found)} differences in {len(seeds)} seeds from {seeds[0]}, compression {compression}")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=150, help="how many conversations each way (default 150)")
    parser.add_argument("--first", type=int, default=fresh_seed(), help="the first seed (default: a fresh one)")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--compression", choices=list(OFFER), help="one of them alone (default: all three)")


if __name__ == "__main__":
    run(check, seconds_max=400, options=options)
