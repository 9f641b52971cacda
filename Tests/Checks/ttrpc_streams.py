#!/usr/bin/env python3
"""All call shapes of ttrpc and the extensions' negotiation, by a client with a codec of its own.

No streaming ttrpc peer can be installed from Debian: this client is written from the protocol's tables.
"""

import json
import socket
import struct
import zlib

from support.check import Context, expect, run
from support.ttrpc import field, fields, varint

REQUEST, RESPONSE, DATA, SETTINGS, CANCEL, PING, PONG = 1, 2, 3, 0x20, 0x21, 0x22, 0x23
WINDOW = 0x24
CLOSED, OPEN, NO_DATA, MORE, COMPRESSED = 1, 2, 4, 0x20, 0x40


class Client:
    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.buffer = b""
        self.next_id = 1
        self.partial, self.most = {}, 0

    def send(self, kind: int, stream: int, flags: int = 0, data: bytes = b"") -> None:
        self.socket.sendall(struct.pack(">IIBB", len(data), stream, kind, flags) + data)

    def request(self, method: str, flags: int = 0, message=None, metadata: bytes = b"") -> int:
        stream, self.next_id = self.next_id, self.next_id + 2
        payload = b"" if message is None else field(3, json.dumps(message).encode())
        self.send(
            REQUEST, stream, flags, field(1, b"greet.Greeter") + field(2, method.encode()) + payload + metadata
        )
        return stream

    def pieces(self, kind: int, stream: int, flags: int, data: bytes, size: int):
        """Sends data in pieces of so many bytes; pauses before each but the first."""
        for start in range(0, len(data), size):
            more = MORE if start + size < len(data) else 0
            self.send(kind, stream, (flags if start == 0 else 0) | more, data[start : start + size])
            yield

    def whole(self) -> tuple[int, int, int, bytes]:
        """The next message that is whole: put together from its pieces, and inflated."""
        while True:
            kind, stream, flags, data = self.frame()
            first, before = self.partial.pop((stream, kind), (flags & ~MORE, b""))
            if flags & MORE:
                self.most = max(self.most, len(self.partial) + 1)
                self.partial[(stream, kind)] = (first, before + data)
                continue
            data = before + data
            if first & COMPRESSED:
                original = zlib.decompress(data[4:])
                expect(len(original) == struct.unpack(">I", data[:4])[0], "the length of the original")
                return kind, stream, first & ~COMPRESSED, original
            return kind, stream, first, data

    def message(self, stream: int, message) -> None:
        self.send(DATA, stream, 0, json.dumps(message).encode())

    def close(self, stream: int) -> None:
        self.send(DATA, stream, CLOSED | NO_DATA)

    def frame(self) -> tuple[int, int, int, bytes]:
        while len(self.buffer) < 10 or len(self.buffer) < 10 + struct.unpack(">I", self.buffer[:4])[0]:
            more = self.socket.recv(65_536)
            expect(more != b"", "the server closed the connection")
            self.buffer += more
        length, stream, kind, flags = struct.unpack(">IIBB", self.buffer[:10])
        data, self.buffer = self.buffer[10 : 10 + length], self.buffer[10 + length :]
        return kind, stream, flags, data

    def response(self, stream: int) -> tuple[int, object]:
        kind, got, _, data = self.frame()
        expect((kind, got) == (RESPONSE, stream), f"frame {kind} on {got} where a response on {stream} was due")
        envelope = fields(data)
        status = fields(envelope.get(1, b""))
        payload = envelope.get(2)
        return status.get(1, 0), None if payload is None else json.loads(payload)

    def messages(self, stream: int) -> list:
        out = []
        while True:
            kind, got, flags, data = self.frame()
            expect((kind, got) == (DATA, stream), f"frame {kind} on {got} where data on {stream} were due")
            if not flags & NO_DATA:
                out.append(json.loads(data))
            if flags & CLOSED:
                return out


def shapes(client: Client) -> None:
    hello = client.request("SayHello", message={"name": "Ada"})
    expect(client.response(hello) == (0, {"text": "Hello, Ada"}), "unary")
    refused = client.request("SayHello", message={"name": ""})
    expect(client.response(refused)[0] == 3, "a status of the handler's")
    expect(client.response(client.request("Missing"))[0] == 12, "an unknown method")
    count = client.request("Count", CLOSED, {"from": 3})
    expect([m["value"] for m in client.messages(count)] == [3, 2, 1, 0], "server streaming")
    add = client.request("Add", OPEN)
    for value in range(1, 11):
        client.message(add, {"value": value})
    client.close(add)
    expect(client.response(add) == (0, {"value": 55}), "client streaming")
    # A closing frame with a message is taken too, and the request's payload is the first message.
    add = client.request("Add", OPEN, {"value": 1})
    client.send(DATA, add, CLOSED, b'{"value": 2}')
    expect(client.response(add) == (0, {"value": 3}), "client streaming, closed with a message")
    each = client.request("GreetEach", OPEN)
    client.message(each, {"name": "Ada"})
    kind, _, _, data = client.frame()
    expect((kind, json.loads(data)["text"]) == (DATA, "Hello, Ada"), "bidirectional, while it is open")
    client.message(each, {"name": "Grace"})
    client.close(each)
    expect([m["text"] for m in client.messages(each)] == ["Hello, Grace"], "bidirectional, to the end")
    client.message(each, {"name": "late"})
    expect(client.response(each)[0] == 3, "data on a stream that is over")


def extensions(client: Client) -> None:
    announcement = field(5, field(1, b"longwire-ext") + field(2, b"1"))
    hello = client.request("SayHello", message={"name": "Ada"}, metadata=announcement)
    kind, stream, _, data = client.frame()
    expect((kind, stream) == (SETTINGS, 0), "settings come before the reply")
    items = dict(struct.unpack(">HI", data[start : start + 6]) for start in range(0, len(data), 6))
    expect(items[1] == 1 and items[2] > 0, f"settings {items}")
    expect(client.response(hello)[0] == 0, "the reply after the settings")
    client.send(SETTINGS, 0, 0, struct.pack(">HIHIHI", 1, 1, 2, 100, 3, 1_000_000))
    client.send(PING, 0, 0, b"12345678")
    expect(client.frame() == (PONG, 0, 0, b"12345678"), "a ping's answer")
    # 100 bytes of credit: the numbers stop when they are used, and go on when there is more.
    count = client.request("Count", CLOSED, {"from": 50})
    used = 0
    while used < 100:
        kind, stream, _, data = client.frame()
        expect((kind, stream) == (DATA, count), "a number")
        used += len(data) + 10
    client.send(PING, 0, 0, b"still th")
    expect(client.frame()[0] == PONG, "nothing is sent without credit")
    client.send(0x24, count, 0, struct.pack(">I", 1_000_000))
    expect(len(client.messages(count)) > 40, "the rest after more credit")
    each = client.request("GreetEach", OPEN)
    client.send(CANCEL, each, 0, struct.pack(">I", 1))
    client.send(PING, 0, 0, b"cancelle")
    expect(client.frame()[0] == PONG, "a cancelled call is not answered")


def negotiate(client: Client, *items: tuple[int, int]) -> dict:
    announcement = field(5, field(1, b"longwire-ext") + field(2, b"1"))
    hello = client.request("SayHello", message={"name": "Ada"}, metadata=announcement)
    _, _, _, data = client.frame()
    expect(client.response(hello)[0] == 0, "the reply after the settings")
    client.send(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *item) for item in ((1, 1), *items)))
    return dict(struct.unpack(">HI", data[start : start + 6]) for start in range(0, len(data), 6))


def greeting(name: str) -> bytes:
    return field(1, b"greet.Greeter") + field(2, b"SayHello") + field(3, json.dumps({"name": name}).encode())


def pieces(client: Client) -> None:
    settings = negotiate(client, (2, 1 << 20), (3, 1 << 20), (4, 4 << 20), (6, 4))
    expect(settings.get(6, 0) > 1, f"messages in pieces are not taken: {settings}")
    # Two requests take turns; a small one between their pieces is answered first.
    one, other, small = client.next_id, client.next_id + 2, client.next_id + 4
    client.next_id += 6
    first = client.pieces(REQUEST, one, 0, greeting("a" * 100_000), 10_000)
    second = client.pieces(REQUEST, other, 0, greeting("b" * 300_000), 30_000)
    next(first), next(second)
    client.send(REQUEST, small, 0, greeting("Ada"))
    kind, stream, _, data = client.whole()
    expect((kind, stream) == (RESPONSE, small), "a small call is answered within two long ones")
    for _ in zip(first, second):
        pass
    for _ in second:
        pass
    texts = {}
    for _ in range(2):
        kind, stream, _, data = client.whole()
        expect(kind == RESPONSE, f"frame {kind}")
        texts[stream] = json.loads(fields(data)[2])["text"]
    expect(texts == {one: "Hello, " + "a" * 100_000, other: "Hello, " + "b" * 300_000}, "long greetings")
    expect(client.most > 0, "long replies come in pieces")
    each = client.request("GreetEach", OPEN)
    for _ in client.pieces(DATA, each, 0, json.dumps({"name": "c" * 50_000}).encode(), 7_000):
        pass
    client.close(each)
    kind, stream, _, data = client.whole()
    expect((kind, stream, json.loads(data)["text"][7:]) == (DATA, each, "c" * 50_000), "a long message of a stream")
    # More than the longest message: refused once, and the rest passed over.
    long = client.next_id
    client.next_id += 2
    for _ in client.pieces(REQUEST, long, 0, b"\x1a" + varint(9 << 20) + bytes(9 << 20), 1 << 20):
        pass
    statuses = []
    while len(statuses) < 1:
        kind, stream, _, data = client.whole()
        if kind == RESPONSE and stream == long:
            statuses.append(fields(fields(data)[1])[1])
    expect(statuses == [8], f"a message that is too long: {statuses}")
    client.send(PING, 0, 0, b"and then")
    while client.whole()[0] != PONG:
        pass


def compression(client: Client) -> None:
    settings = negotiate(client, (2, 1 << 20), (3, 1 << 20), (4, 4 << 20), (6, 4), (7, 1))
    expect(settings.get(7, 0) & 1 == 1, f"zlib is not understood: {settings}")
    stream = client.next_id
    client.next_id += 2
    original = greeting("z" * 200_000)
    client.send(REQUEST, stream, COMPRESSED, struct.pack(">I", len(original)) + zlib.compress(original))
    kind, got, flags, data = client.frame()
    expect((kind, got) == (RESPONSE, stream) and flags & COMPRESSED, f"flags {flags} where a compressed reply was due")
    expect(len(data) < 10_000, f"{len(data)} bytes are not compressed")
    reply = fields(zlib.decompress(data[4:]))
    expect(json.loads(reply[2])["text"] == "Hello, " + "z" * 200_000, "a compressed greeting")
    for lie in (len(original) - 1, len(original) + 1, 1 << 31):
        stream = client.next_id
        client.next_id += 2
        client.send(REQUEST, stream, COMPRESSED, struct.pack(">I", lie) + zlib.compress(original))
        status, _ = client.response(stream)
        expect(status == (8 if lie == 1 << 31 else 3), f"a length of {lie}: status {status}")


def check(context: Context) -> None:
    server = context.server("rpc-greeter")
    shapes(Client(server.port))
    extensions(Client(server.port))
    pieces(Client(server.port))
    compression(Client(context.server("rpc-greeter", "--compression").port))
    context.note("all shapes, negotiation, credit, cancellation, messages in pieces, compression")


if __name__ == "__main__":
    run(check, seconds_max=60)
