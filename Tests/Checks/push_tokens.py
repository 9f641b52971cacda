#!/usr/bin/env python3
"""push-server with tokens that another library signed: who gets in, what it may hear, and when it has to go."""

import base64
import hashlib
import hmac
import json
import tempfile
import time
from pathlib import Path

from support.check import Context, expect, run
from support.servers import Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

SECRET = b"a secret of more than thirty-two bytes"
LEEWAY = 5  # seconds that a token is believed beyond its expiry


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: dict, secret: bytes = SECRET, algorithm: str = "HS256") -> str:
    head = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{encoded(json.dumps(claims).encode())}"
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}.get(algorithm)
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), digest).digest()) if digest else ''}"


def device(server: Server, shown: str, *, in_query: bool = False) -> ClientConnection:
    target = f"/ws?token={shown}" if in_query else "/ws"
    fields = {} if in_query else {"Authorization": f"Bearer {shown}"}
    return connect(
        server.url(target), subprotocols=["push.v1.json"], additional_headers=fields, proxy=None, compression=None
    )


def status(server: Server, shown: str) -> int:
    try:
        device(server, shown).close()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


def heard(socket: ClientConnection) -> dict:
    return json.loads(socket.recv(10))


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (keys := Path(folder) / "api.keys").write_text("a-key-of-the-push-tokens-check")
        (secret := Path(folder) / "token.key").write_bytes(SECRET + b"\n")
        server = context.server("push-server", "--api-key-file", str(keys), "--token-key-file", str(secret))
        now = int(time.time())
        good = {"sub": "ann", "device": "phone", "topics": ["rooms/*"], "exp": now + 600}
        wrong = {
            "of another key": token(good, b"another secret of thirty-two bytes"), "of another algorithm": token(good, algorithm="HS512"),
            "not signed": token(good, algorithm="none"), "expired": token(good | {"exp": now - LEEWAY - 1}),
            "of the future": token(good | {"nbf": now + 60}), "without an end": token({"sub": "ann"}),
            "nobody's": token(good | {"sub": ""}), "no token": "",
        }
        for name, shown in wrong.items():
            expect(status(server, shown) == 401, f"a token {name} was not refused")
        for in_query in (False, True):
            with device(server, token(good), in_query=in_query) as socket:
                expect(heard(socket)["user"] == "ann", "the device is not Ann's")
                socket.send('{"type": "subscribe", "topic": "rooms/one"}')
                expect(heard(socket)["type"] == "subscribed", "the token's topic was refused")
                socket.send('{"type": "subscribe", "topic": "halls/one"}')
                answer = heard(socket)
                expect((answer["type"], answer["code"]) == ("failure", 3), f"another topic: {answer}")
        # Of the seconds that it is believed beyond its expiry three to four are left.
        with device(server, token(good | {"exp": int(time.time()) + 4 - LEEWAY})) as socket:
            began = time.monotonic()
            expect(heard(socket)["user"] == "ann", "the device is not Ann's")
            try:
                heard(socket)
                expect(False, "a session outlived its token")
            except ConnectionClosed as closed:
                expect(closed.rcvd is not None and closed.rcvd.code == 4419, f"closed with {closed.rcvd}")
            expect(time.monotonic() - began < 8, "the session ended late")
        context.note(f"{len(wrong)} refused")


if __name__ == "__main__":
    run(check, seconds_max=60)
