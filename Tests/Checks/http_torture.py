#!/usr/bin/env python3
"""HTTP/1.1 over raw sockets against http-demo and a hub: pipelining, split and joined packets, bodies, framing that must be
refused, header floods, slow clients, HEAD, 100-continue, HTTP/1.0, absolute targets; then requests' and curl's word."""

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

import requests

from support.check import Context, expect, run

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
ECHO = b"POST /echo HTTP/1.1\r\nHost: h\r\n"
ROOT = (200, b"http-demo\n")
KEY = "a-key-of-the-torture-check"

Answer = tuple[int, bytes] | int


@dataclass(frozen=True)
class Edge:
    """A server, and what it answers."""

    port: int
    # A path, and the answer to GET.
    path: bytes
    root: Answer
    # How a request with a body begins, and the answer to the body "hello".
    post: bytes
    hello: Answer
    # A request that takes its time, and its answer.
    task: bytes
    done: Answer

    @property
    def get(self) -> bytes:
        return b"GET " + self.path + b" HTTP/1.1\r\nHost: h\r\n\r\n"


def rows(edge: Edge) -> list[tuple[str, bytes, list[Answer], bool]]:
    """What is sent, what is answered, and whether the connection is closed behind it."""
    path, get, root, post, hello = edge.path, edge.get, edge.root, edge.post, edge.hello
    return [
        ("one request", get, [root], False),
        ("three pipelined", get * 3, [root] * 3, False),
        ("close asked for", b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get, [root], True),
        ("HTTP/1.0", b"GET " + path + b" HTTP/1.0\r\n\r\n" + get, [root], True),
        ("HTTP/1.0 kept alive", b"GET " + path + b" HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get, [root, root], False),
        ("absolute form", b"GET http://h" + path + b" HTTP/1.1\r\nHost: h\r\n\r\n", [root], False),
        ("counted body", post + b"Content-Length: 5\r\n\r\nhello" + get, [hello, root], False),
        (
            "chunked body", post + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: v\r\n\r\n" + get,
            [hello, root], False,
        ),
        ("body nobody wants", b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get, [405, root], False),
        ("over-long body", post + b"Content-Length: 1048577\r\n\r\n" + b"x" * 4096, [413], True),
        ("over-long chunk", post + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", [413], True),
        ("order kept behind a task", edge.task + get, [edge.done, root], False),
        ("no Host", b"GET " + path + b" HTTP/1.1\r\n\r\n" + get, [400], True),
        ("two lengths", post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!" + get, [400], True),
        ("length and coding", post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, [400], True),
        ("coding and length", post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + get, [400], True),
        ("unknown coding", post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + get, [501], True),
        ("space before colon", post + b"Content-Length : 5\r\n\r\nhello", [400], True),
        ("folded line", b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", [400], True),
        ("bare LF", b"GET " + path + b" HTTP/1.1\nHost: h\n\n", [400], True),
        ("chunk with bare LF", post + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + get, [400], True),
        ("header flood", b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 200, [431], True),
        ("endless header", b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 20_000, [431], True),
        ("endless target", b"GET /" + b"b" * 20_000, [414], True),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], True),
        ("garbage", bytes(range(1, 32)), [400], True),
    ]


class Client:
    def __init__(self, port: int, source: str = "127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.ended = False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before all was sent; the answer says why.

    def fill(self) -> None:
        data = self.socket.recv(65536)
        self.received += data
        self.ended = not data

    def answer(self, *, to_head: bool = False) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self.received and not self.ended:
            self.fill()
        expect(b"\r\n\r\n" in self.received, f"the connection ended with {self.received!r}")
        head, _, rest = self.received.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths and not to_head else 0
        while len(rest) < length and not self.ended:
            self.fill()
            rest = self.received.partition(b"\r\n\r\n")[2]
        self.received = rest[length:]
        return status, rest[:length]

    def expect_end(self, what: str) -> None:
        while not self.ended:
            self.fill()
        expect(not self.received, f"{what}: {self.received!r} behind the last answer")


def table(edge: Edge) -> int:
    """Sends each row, whole and in pieces; how many there are."""
    made = rows(edge)
    for name, request, answers, closed in made:
        for piece in (len(request), 11, 1):
            if piece < 11 and len(request) > 1000:
                continue
            with Client(edge.port) as client:
                for start in range(0, len(request), piece):
                    client.send(request[start : start + piece])
                    if piece < len(request) and start < 400:
                        time.sleep(0.0005)  # So that packets are not joined.
                for wanted in answers:
                    status, body = client.answer()
                    good = status == wanted if isinstance(wanted, int) else (status, body) == wanted
                    expect(good, f"{name}, by {piece}: {status} {body!r} instead of {wanted}")
                if closed:
                    client.expect_end(name)
                else:
                    client.send(edge.get)
                    expect(client.answer() == edge.root, f"{name}: the connection is not kept alive")
    return len(made)


def hub(context: Context) -> int:
    """The same to a hub's port, and its API, which takes JSON, in tasks."""
    server = context.server("push-server", "--trust-names", environment={"PUSH_API_KEYS": KEY})
    post = b"POST /api/v1/publish HTTP/1.1\r\nHost: h\r\nX-API-Key: " + KEY.encode() + b"\r\n"
    body = b'{"topic": "t", "text": "x"}'
    task = post + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return table(Edge(server.port, b"/healthz", (200, b"ok\n"), post, 400, task, 200))


def head_and_continue(port: int) -> None:
    with Client(port) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
        expect(client.answer(to_head=True) == (200, b""), "HEAD")
        expect(client.answer() == ROOT, "behind HEAD")
        client.send(ECHO + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        expect(client.answer() == (100, b""), "no 100 Continue")
        client.send(b"ab")
        expect(client.answer() == (200, b"ab"), "the body behind 100 Continue")
        client.send(ECHO + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
        expect(client.answer()[0] == 413, "a body too long was asked for")
        client.expect_end("413")


def slow(port: int) -> None:
    with Client(port) as head, Client(port) as body, Client(port) as silent:
        started = time.monotonic()
        head.send(b"GET / HT")
        body.send(ECHO + b"Content-Length: 9\r\n\r\n")
        for client, status, least, most in ((head, 408, 9, 12), (body, 408, 29, 33)):
            client.socket.settimeout(40)
            while not client.received and not client.ended:
                try:
                    client.socket.settimeout(0.5)
                    client.fill()
                except TimeoutError:
                    client.send(b"T" if client is head and time.monotonic() - started < 9 else b"")
            took = time.monotonic() - started
            expect(client.answer()[0] == status and least < took < most, f"a slow client after {took:.1f} s")
            client.expect_end("408")
        silent.expect_end("a client that says nothing")


def foreign_clients(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with requests.Session() as session:
        for size in (0, 1, 70_000, 1_000_000):
            data = bytes(size)
            expect(session.post(f"{url}/echo", data=data).content == data, f"requests: {size} bytes")
            chunks = (data[start : start + 9_999] for start in range(0, size, 9_999))
            expect(session.post(f"{url}/echo", data=chunks).content == data, f"requests: {size} bytes in chunks")
        expect(session.put(f"{url}/echo", data=b"x").status_code == 405, "requests: PUT")
        expect(session.options(f"{url}/echo").headers["Allow"] == "OPTIONS, POST", "requests: OPTIONS")
        text = session.get(f"{url}/metrics").text
        expect("# TYPE http_requests_total counter\n" in text, "no metrics")
        expect('http_requests_total{status="200"}' in text and 'http_request_seconds_bucket{le="+Inf"}' in text, text)
    curl = shutil.which("curl")
    if curl:
        command = [curl, "-sS", "-o", "-", "-w", "%{http_code} %{num_connects}\n", "-T", "-", "-X", "POST", f"{url}/echo"]
        done = subprocess.run(command, input=b"z" * 100_000, capture_output=True, timeout=20)
        expect(done.stdout == b"z" * 100_000 + b"200 1\n", f"curl: {done.stdout[-40:]!r} {done.stderr!r}")


def check(context: Context) -> None:
    server = context.server("http-demo")
    later = b"GET /later/80 HTTP/1.1\r\nHost: h\r\n\r\n"
    count = table(Edge(server.port, b"/", ROOT, ECHO, (200, b"hello"), later, (200, b"after 80 ms\n")))
    count += hub(context)
    head_and_continue(server.port)
    foreign_clients(server.port)
    slow(server.port)
    context.note(f"{count} rows")


if __name__ == "__main__":
    run(check, seconds_max=120)
