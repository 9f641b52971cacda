#!/usr/bin/env python3
"""rpc-greeter's client calls in every way there is: its own server first, then one in Python with a codec of its own.

No streaming ttrpc peer can be installed from Debian: this server is written from the protocol's tables.
"""

import json
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import msgpack

from support.check import Context, Failed, expect, run
from support.servers import Server
from ttrpc_streams import (
    CLOSED, DATA, NO_DATA, OPEN, PING, PONG, REQUEST, RESPONSE, SETTINGS, WINDOW, field, fields, varint,
)  # fmt: skip

GOAWAY, ONE_WAY = 0x25, 0x10
INVALID_ARGUMENT = 3
NAMES = ["Ada", "Grace"]
SAID = [
    "Hello, Ada", "Hello, Grace", "no name is refused: it is empty", "Welcome, Ada",
    "counts 3", "counts 2", "counts 1", "counts 0", "the sum of 1 to 10 is 55",
    "each: Hello, Ada", "each: Hello, Grace",
    "Ada signs the guestbook as number 1", "Grace signs the guestbook as number 2",
]  # fmt: skip


class Peer:
    """Serves greet.Greeter and the guestbook to one client."""

    def __init__(self, listener: socket.socket):
        self.listener = listener
        self.buffer = b""
        self.settings = 0
        self.goodbyes: list[str] = []
        self.signed: list[str] = []
        self.problem: str | None = None

    def run(self) -> None:
        try:
            self.socket, _ = self.listener.accept()
            with self.socket:
                self.socket.settimeout(30)
                self.serve()
        except Exception as problem:  # noqa: BLE001 - told by the check's own thread
            self.problem = f"{type(problem).__name__}: {problem}"

    def serve(self) -> None:
        while (frame := self.frame()) is not None:
            kind, stream, flags, data = frame
            expect(kind == REQUEST, f"frame {kind} on {stream} where a request was due")
            self.call(stream, flags, fields(data))

    # Frames.

    def send(self, kind: int, stream: int, flags: int = 0, data: bytes = b"") -> None:
        self.socket.sendall(struct.pack(">IIBB", len(data), stream, kind, flags) + data)

    def frame(self) -> tuple[int, int, int, bytes] | None:
        """The next frame of a call; None at the end of the connection."""
        while True:
            while len(self.buffer) < 10 or len(self.buffer) < 10 + struct.unpack(">I", self.buffer[:4])[0]:
                more = self.socket.recv(65_536)
                if not more:
                    expect(self.buffer == b"", "the connection ended within a frame")
                    return None
                self.buffer += more
            length, stream, kind, flags = struct.unpack(">IIBB", self.buffer[:10])
            data, self.buffer = self.buffer[10 : 10 + length], self.buffer[10 + length :]
            if kind == SETTINGS:
                expect((stream, self.settings) == (0, 1), "settings that are no answer to ours")
                self.settings = 2
            elif kind == PING:
                self.send(PONG, 0, 0, data)
            elif kind in (WINDOW, GOAWAY):
                expect(self.settings == 2, f"frame {kind} before the settings")
            else:
                return kind, stream, flags, data

    def due(self, kind: int, stream: int) -> tuple[int, bytes]:
        frame = self.frame()
        expect(frame is not None and frame[:2] == (kind, stream), f"{frame} where {kind} on {stream} was due")
        return frame[2], frame[3]

    def reply(self, stream: int, payload: bytes) -> None:
        self.send(RESPONSE, stream, 0, field(2, payload) if payload else b"")

    def messages(self, stream: int):
        """What the client streams, to its end: an empty frame of its own."""
        while True:
            flags, data = self.due(DATA, stream)
            if flags & CLOSED:
                return expect((flags, data) == (CLOSED | NO_DATA, b""), f"a stream ends with {flags} and {data!r}")
            expect(flags == 0, f"data with flags {flags}")
            yield json.loads(data)

    # Calls.

    def call(self, stream: int, flags: int, request: dict) -> None:
        expect(stream % 2 == 1, f"a client's stream {stream}")
        expect(0 < request.get(4, 0) <= 30_000_000_000, f"a timeout of {request.get(4)} ns")
        if self.settings == 0:
            expect(fields(request[5]) == {1: b"longwire-ext", 2: b"1"}, "the first request announces the extensions")
            self.send(SETTINGS, 0, 0, struct.pack(">HIHIHI", 1, 1, 2, 1 << 20, 3, 1 << 20))
            self.settings = 1
        method, payload = (request[1] + b"/" + request[2]).decode(), request.get(3, b"")
        shapes = {
            "greet.Greeter/SayHello": (0, self.say_hello), "greet.Greeter/Welcome": (0, self.welcome),
            "greet.Greeter/Count": (CLOSED, self.count), "greet.Greeter/Add": (OPEN, self.add),
            "greet.Greeter/GreetEach": (OPEN, self.greet_each),
            "greet.Greeter/SayGoodbye": (ONE_WAY, self.say_goodbye), "longwire.Actors/Call": (0, self.sign),
        }  # fmt: skip
        expect(method in shapes, f"a call of {method}")
        expected, serve = shapes[method]
        expect(flags == expected, f"{method} with flags {flags}")
        serve(stream, payload)

    def say_hello(self, stream: int, payload: bytes) -> None:
        name = json.loads(payload)["name"]
        if name:
            return self.reply(stream, json.dumps({"text": f"Hello, {name}"}).encode())
        detail = field(1, b"type.googleapis.com/greet.NameRefused") + field(2, b'{"reason": "it is empty"}')
        self.send(RESPONSE, stream, 0, field(1, b"\x08" + varint(INVALID_ARGUMENT) + field(3, detail)))

    def welcome(self, stream: int, payload: bytes) -> None:
        expect(self.settings == 2, "a call back needs the client's settings")
        self.send(REQUEST, 2, 0, field(1, b"greet.Visitor") + field(2, b"Introduce") + field(3, b"{}"))
        _, data = self.due(RESPONSE, 2)
        visitor = json.loads(fields(data)[2])["name"]
        self.reply(stream, json.dumps({"text": f"Welcome, {visitor}"}).encode())

    def count(self, stream: int, payload: bytes) -> None:
        for value in range(json.loads(payload)["from"], -1, -1):
            self.send(DATA, stream, 0, json.dumps({"value": value}).encode())
        self.send(DATA, stream, CLOSED | NO_DATA)

    def add(self, stream: int, payload: bytes) -> None:
        expect(payload == b"", "the numbers come as data")
        total = sum(number["value"] for number in self.messages(stream))
        self.reply(stream, json.dumps({"value": total}).encode())

    def greet_each(self, stream: int, payload: bytes) -> None:
        for request in self.messages(stream):
            self.send(DATA, stream, 0, json.dumps({"text": f"Hello, {request['name']}"}).encode())
        self.send(DATA, stream, CLOSED | NO_DATA)

    def say_goodbye(self, stream: int, payload: bytes) -> None:
        self.goodbyes.append(json.loads(payload)["name"])

    def sign(self, stream: int, payload: bytes) -> None:
        actor, method, name = msgpack.unpackb(payload)
        expect((actor, method) == ("guestbook", "Sign"), f"a call of {actor}'s {method}")
        self.signed.append(name)
        self.reply(stream, msgpack.packb(len(self.signed)))


def greet(context: Context, port: int) -> None:
    program = str(Path(context.options.bin) / "rpc-greeter")
    done = subprocess.run(
        [program, "greet", "--port", str(port), *NAMES], capture_output=True, text=True, timeout=60
    )
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    expect(done.stdout.splitlines() == SAID, f"it said {done.stdout}")


def own(context: Context) -> None:
    # Through stdbuf what it prints is in its log at once.
    server = Server.start(["stdbuf", "-oL", *context.command("rpc-greeter")], [])
    context.servers.append(server)
    server.wait_until_ready()
    greet(context, server.port)
    deadline = time.monotonic() + 10
    while not all(f"{name} says goodbye" in server.log() for name in NAMES):
        expect(time.monotonic() < deadline, f"one-way calls did not arrive: {server.log()}")
        time.sleep(0.02)


def foreign(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        peer = Peer(listener)
        thread = threading.Thread(target=peer.run, daemon=True)
        thread.start()
        try:
            greet(context, listener.getsockname()[1])
        except (Failed, subprocess.TimeoutExpired) as failed:
            # Why is what the server saw, where it saw anything.
            raise Failed(peer.problem or str(failed)) from None
        thread.join(20)
    expect(not thread.is_alive(), "the client did not end its connection")
    expect(peer.problem is None, f"the server in Python: {peer.problem}")
    expect(peer.goodbyes == NAMES, f"goodbyes of {peer.goodbyes}")
    expect(peer.signed == NAMES, f"signed by {peer.signed}")


def check(context: Context) -> None:
    own(context)
    foreign(context)
    context.note("four shapes, one-way, a call back, an actor; own server and one in Python")


if __name__ == "__main__":
    run(check, seconds_max=150)
