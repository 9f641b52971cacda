#!/usr/bin/env python3
"""push-server behind Debian's nginx with the files of Examples/nginx, over TLS, in both ways: programs push, devices listen,
and the log says who they are; whom nobody trusts is believed nothing. Needs what nginx.py needs."""

import http.client
import json
import socket
import struct
import tempfile
from pathlib import Path

from websockets.sync.client import connect

from http_torture import Client
from nginx import MODULE, Nginx, start_nginx
from support.check import Context, expect, run
from support.servers import Server

KEY = "a-key-of-the-push-nginx-check"
# Other addresses of this machine: a client's, which is no proxy, and one that pretends to be a proxy.
CLIENT, PRETENDER = "127.0.0.2", "127.0.0.3"
STRANGER = "203.0.113.9"
LINE = f"PROXY TCP4 {STRANGER} 127.0.0.1 55 80\r\n".encode()
ADDRESSES = socket.inet_aton(STRANGER) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 55, 80)
BINARY = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(ADDRESSES)) + ADDRESSES


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {STRANGER}\r\nConnection: close\r\n\r\n".encode()


def logged(server: Server, path: str) -> str:
    """Who asked for a path, as the access log has it."""
    lines = [line for line in server.log().splitlines() if f"path={path} " in line]
    expect(len(lines) == 1, f"{len(lines)} lines of {path} in the log:\n{server.log()}")
    return next(word for word in lines[0].split() if word.startswith("remote=")).removeprefix("remote=")


def pushed(nginx: Nginx, user: str) -> None:
    """A device is there, a program sends to it, and the device acknowledges."""
    port, source = nginx.tls_port, (CLIENT, 0)
    device = socket.create_connection(("127.0.0.1", port), 10, source_address=source)
    with connect(
        f"wss://127.0.0.1:{port}/ws?user={user}", sock=device, ssl=nginx.context, subprotocols=["push.v1.json"],
        compression=None, proxy=None,
    ) as heard:
        expect(json.loads(heard.recv(10))["type"] == "welcome", "the device is not welcome")
        program = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, source_address=source, context=nginx.context)
        for number in range(3):
            body = json.dumps({"user": user, "data": {"number": number}})
            program.request("POST", "/api/v1/send", body, {"Authorization": f"Bearer {KEY}"})
            answer = program.getresponse()
            said = json.loads(answer.read())
            expect(answer.status == 201, f"send is answered {answer.status} {said}")
            message = json.loads(heard.recv(10))
            expect((message["json"], message["inbox"]) == ({"number": number}, str(said["id"])), f"the device hears {message}")
            heard.send(json.dumps({"type": "acknowledge", "ids": [message["inbox"]]}))
        program.request("GET", "/api/v1/asked-once", headers={"Authorization": f"Bearer {KEY}"})
        expect(program.getresponse().read() != b"", "no answer")
        program.close()


def behind(context: Context, folder: Path, kind: str, *arguments: str) -> Server:
    server = context.server(
        "push-server", "--trust-names", "--access-log", "--trust", "127.0.0.1", *arguments, environment={"PUSH_API_KEYS": KEY}
    )
    pushed(start_nginx(context, folder, kind, server.port), kind)
    for path in ("/ws", "/api/v1/asked-once"):
        remote = logged(server, path)
        expect(remote == CLIENT, f"{kind}: who asked for {path} is taken for {remote}")
    return server


def asked_directly(server: Server, source: str, opening: bytes, path: str) -> int | None:
    """What is answered to who connects without nginx; `None` where that is the end."""
    with Client(server.port, source) as client:
        client.send(opening + get(path))
        while not client.ended and b"\r\n\r\n" not in client.received:
            client.fill()
        return int(client.received.split()[1]) if client.received else None


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as name:
        server = behind(context, Path(name), "http")
        expect(asked_directly(server, PRETENDER, b"", "/healthz") == 200, "who is no proxy is not served")
        expect(logged(server, "/healthz") == PRETENDER, "who is no proxy is believed")
        if not MODULE.exists():
            context.note("no stream module")
            return
        server = behind(context, Path(name), "stream", "--proxy-protocol")
        for source, opening, path, status in (
            ("127.0.0.1", LINE, "/healthz", 200), ("127.0.0.1", BINARY, "/readyz", 200), ("127.0.0.1", b"", "/metrics", None),
            (PRETENDER, LINE, "/metrics", 400), (PRETENDER, BINARY, "/metrics", 400), (PRETENDER, b"", "/metrics", 401),
        ):
            answered = asked_directly(server, source, opening, path)
            expect(answered == status, f"{path} of {source} behind {opening!r} is answered {answered} instead of {status}")
        # The header X-Forwarded-For, which each of them sent, is nobody's word here.
        for path, wanted in (("/healthz", STRANGER), ("/readyz", STRANGER), ("/metrics", PRETENDER)):
            remote = logged(server, path)
            expect(remote == wanted, f"who asked for {path} is taken for {remote}")
        context.note("http and stream")


if __name__ == "__main__":
    run(check, seconds_max=60)
