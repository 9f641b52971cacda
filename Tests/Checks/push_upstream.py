#!/usr/bin/env python3
"""What push-server tells: an application in Python by RPC, which also decides who may connect, and a webhook receiver in
Python that checks signatures; both fail and come back, and nothing is lost or out of order."""

import asyncio
import hashlib
import hmac
import http.server
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests
from support import ttrpc
from support.article import blocks
from support.check import ROOT, Context, expect, run
from support.servers import Server, free_port
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

ARTICLE = ROOT / "Sources" / "HubWebhooks" / "HubWebhooks.docc" / "HubWebhooks.md"
SECRETS = ["the-new-secret-of-the-check", "the-old-secret-of-the-check"]
UPSTREAM_KEY = "the-key-of-the-application"
API_KEY = "a-key-of-the-upstream-check"
UNAVAILABLE = 14


class Told:
    """Events as they came, each id once."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.repeats = 0

    def add(self, event: dict) -> None:
        if any(event["id"] == known["id"] for known in self.events):
            self.repeats += 1
        else:
            self.events.append(event)

    def story(self, user: str) -> list:
        return [event.get("text", event["type"]) for event in self.events if event.get("user") == user]

    def wait(self, user: str, story: list) -> None:
        deadline = time.monotonic() + 30
        while self.story(user) != story:
            expect(time.monotonic() < deadline, f"{user}: {self.story(user)} instead of {story}")
            time.sleep(0.05)
        numbers = [event["number"] for event in self.events if event.get("user") == user]
        expect(numbers == list(range(1, len(story) + 1)), f"{user}: numbers {numbers}")


class Application:
    """Serves longwire.Upstream."""

    def __init__(self, port: int, told: Told):
        self.questions: list[dict] = []
        self.is_ill = False
        self._told = told
        self._server = ttrpc.Server(port, self._handle)

    def close(self) -> None:
        self._server.close()

    def _handle(self, method: str, payload: bytes, metadata: dict[str, str]) -> bytes:
        expect(metadata.get("authorization") == f"Bearer {UPSTREAM_KEY}", f"metadata: {metadata}")
        message = json.loads(payload)
        if method == "Connect":
            self.questions.append(message)
            answers = {
                "mallory": {"refused": "forbidden", "text": "go away"},
                "alias": {"user": "renamed", "topics": ["news"]},
            }
            return json.dumps(answers.get(message["user"], {})).encode()
        if self.is_ill:
            raise ttrpc.Refused(UNAVAILABLE, "ill")
        self._told.add(message)
        return b"{}"


class Listener(http.server.ThreadingHTTPServer):
    """Says nothing of connections that the server under test ended, as it does when it stops."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Receiver:
    """What the webhook posts to; answers 503 while it is ill."""

    def __init__(self, told: Told, secret: str):
        receiver = self
        self.is_ill = False
        self.refused = 0
        self.problems: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                problem = problem_with(self.headers, body, secret)
                if problem:
                    receiver.problems.append(problem)
                if receiver.is_ill:
                    receiver.refused += 1
                    self.answer(503)
                else:
                    told.add(json.loads(body))
                    self.answer(204)

            def answer(self, status: int) -> None:
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


def is_valid(headers, body: bytes, secret: str) -> bool:
    """What the article's own Python says of a request."""
    [block] = blocks(ARTICLE.read_text(), "python")
    names = {"headers": headers, "body": body, "secret": secret.encode(), "hashlib": hashlib, "hmac": hmac, "time": time}
    exec(block.text, names)
    return names["is_valid"]


def problem_with(headers, body: bytes, secret: str) -> str | None:
    signature = headers["X-Longwire-Signature"]
    if not is_valid(headers, body, secret):
        return f"signature {signature}"
    moment = int(time.time()) - 301
    mark = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    old = {"X-Longwire-Signature": f"t={moment},v1={mark}"}
    if is_valid(headers, body + b" ", secret) or is_valid(headers, body, secret[1:]) or is_valid(old, body, secret):
        return "what the article says takes anything for valid"
    if headers["X-Longwire-Event"] != json.loads(body)["id"]:
        return f"id {headers['X-Longwire-Event']}"
    return None


def said(text: str) -> str:
    return json.dumps({"type": "message", "event": "e", "text": text})


async def devices(server: Server, application: Application, port: int, told: Told, hooked: Told, receiver: Receiver) -> None:
    def url(user: str) -> str:
        return server.url(f"/ws?user={user}&device=phone")

    async def refused(user: str, status: int) -> str | None:
        try:
            async with connect(url(user), subprotocols=["push.v1.json"]):
                pass
        except InvalidStatus as refusal:
            expect(refusal.response.status_code == status, f"{user}: {refusal.response.status_code}")
            return refusal.response.headers.get("Retry-After")
        expect(False, f"{user} got a session")

    async def settled(user: str, story: list) -> None:
        for place in (told, hooked):
            await asyncio.to_thread(place.wait, user, story)

    # Who may.
    await refused("mallory", 403)
    expect(application.questions[0]["target"] == "/ws?user=mallory&device=phone", f"asked: {application.questions}")
    async with connect(url("alias"), subprotocols=["push.v1.json"]) as alias:
        expect(json.loads(await alias.recv())["user"] == "renamed", "the application names the user")
    await settled("renamed", ["connected", "disconnected"])
    # What is said.
    async with connect(url("ann"), subprotocols=["push.v1.json"]) as ann:
        for number in range(20):
            await ann.send(said(str(number)))
        story = ["connected", *(str(number) for number in range(20))]
        await settled("ann", story)
        # Both are ill, then well again.
        application.is_ill = receiver.is_ill = True
        for number in range(20, 40):
            await ann.send(said(str(number)))
        await asyncio.sleep(2)
        expect(len(told.story("ann")) == len(hooked.story("ann")) == 21, "an event came to who was ill")
        application.is_ill = receiver.is_ill = False
        story += [str(number) for number in range(20, 40)]
        await settled("ann", story)
        expect(receiver.refused >= 2, "nothing was posted again")
        # The application goes away, and comes back.
        application.close()
        wait = await refused("bob", 503)
        expect(wait is not None and int(wait) >= 1, f"Retry-After: {wait}")
        await ann.send(said("meanwhile"))
        back = Application(port, told)
        await settled("ann", [*story, "meanwhile"])
    await settled("ann", [*story, "meanwhile", "disconnected"])
    back.close()


def counters(server: Server, way: str) -> dict[str, int]:
    """What /metrics says of events of that way."""
    text = requests.get(f"http://127.0.0.1:{server.port}/metrics", headers={"X-API-Key": API_KEY}, timeout=10).text
    found = re.findall(rf'^hub_upstream_(\w+?)(?:_total)?{{sink="{way}"}} (\d+)$', text, re.MULTILINE)
    return {name: int(value) for name, value in found}


class HostileReceiver:
    """Answers the first event of a user as the user's name says, and everything else with 204."""

    # What is sent, again and again where it is the second, and how often the event then comes.
    ANSWERS = {
        "endless": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n", 1),
        "dripping": (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\nx", None, 1),
        "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", b"", 1),
        "redirect": (b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", b"", 1),
        "twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"", 1),
        "interims": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 2),
        "header": (b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1024 + b"\r\n", 2),
        "garbage": (b"SSH-2.0-OpenSSH_9.6\r\n", b"", 2),
        "silent": (b"", None, 2),
        "gone": (b"", b"", 2),
    }

    def __init__(self) -> None:
        self.attempts: dict[str, list[str]] = {user: [] for user in self.ANSWERS}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while event := self._request(stream):
                attempts = self.attempts[event["user"]]
                attempts.append(event["type"])
                try:
                    if len(attempts) > 1:
                        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    else:
                        return self._do_harm(connection, *self.ANSWERS[event["user"]][:2])
                except OSError:
                    return

    def _request(self, stream) -> dict | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return None
            head += line
        return json.loads(stream.read(int(re.search(rb"Content-Length: (\d+)", head)[1])))

    def _do_harm(self, connection: socket.socket, first: bytes, then: bytes | None) -> None:
        connection.sendall(first)
        while then:
            connection.sendall(then)
        if then is None:
            connection.settimeout(60)
            connection.recv(1)


def hostile_receivers(context: Context, secrets: Path) -> None:
    """Whatever a receiver answers, it harms nobody but itself: memory is bounded, and each event ends."""
    receiver = HostileReceiver()
    server = context.server(
        "push-server", "--trust-names", "--webhook", f"http://127.0.0.1:{receiver.port}/",
        "--webhook-secret-file", str(secrets), environment={"PUSH_API_KEYS": API_KEY},
    )
    before = server.anonymous_bytes()

    async def visit(user: str) -> None:
        async with connect(server.url(f"/ws?user={user}"), subprotocols=["push.v1.json"]) as device:
            await device.recv()

    async def visits() -> None:
        await asyncio.gather(*(visit(user) for user in receiver.ANSWERS))

    asyncio.run(visits())
    wanted = {user: ["connected"] * count + ["disconnected"] for user, (_, _, count) in receiver.ANSWERS.items()}
    deadline = time.monotonic() + 60
    while receiver.attempts != wanted or counters(server, "webhook")["waiting"] > 0:
        expect(time.monotonic() < deadline, f"told {receiver.attempts}, and not {wanted}")
        time.sleep(0.2)
    counts = counters(server, "webhook")
    expect(counts["refused"] == 1 and counts["delivered"] == 2 * len(wanted) - 1, f"counted {counts}")
    grown = server.anonymous_bytes() - before
    expect(grown < 16 << 20, f"it has grown by {grown >> 20} MiB")
    server.close()


def let_in_while_away(context: Context) -> None:
    """An application that takes connections and never answers, and one that is not there: --upstream-away admit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], free_port()):
            server = context.server(
                "push-server", "--trust-names", "--upstream-rpc", f"127.0.0.1:{port}", "--upstream-away", "admit",
                environment={"PUSH_API_KEYS": API_KEY},
            )

            async def visit(server: Server = server) -> None:
                async with connect(server.url("/ws?user=ann"), subprotocols=["push.v1.json"], open_timeout=20) as device:
                    expect(json.loads(await device.recv())["user"] == "ann", "who the credentials say")

            asyncio.run(visit())
            began = time.monotonic()
            server.terminate()
            expect(server.process.wait(30) == 0 and time.monotonic() - began < 25, "it does not end")


def endings(context: Context) -> None:
    """What cannot be used is said in one line."""
    program = str(Path(context.options.bin) / "push-server")
    key = {"PUSH_API_KEYS": API_KEY}
    for arguments, environment, words in (
        (["--webhook", "https://127.0.0.1/"], {"PUSH_WEBHOOK_SECRET": SECRETS[0]}, "needs TLS"),
        (["--webhook", "http://127.0.0.1/"], {}, "no secret"),
        (["--webhook", "http://127.0.0.1/"], {"PUSH_WEBHOOK_SECRET": "short"}, "16"),
        (["--webhook", "http://a:b@127.0.0.1/"], {"PUSH_WEBHOOK_SECRET": SECRETS[0]}, "user or password"),
        (["--webhook-secret-file", "/nonexistent"], {}, "--webhook"),
        (["--upstream-away", "admit"], {}, "--upstream-rpc"),
        (["--upstream-rpc", "nowhere"], {}, "HOST:PORT"),
    ):
        done = subprocess.run(
            [program, "--port", "0", "--trust-names", *arguments], env={**key, **environment}, capture_output=True,
            text=True, timeout=30,
        )
        expect(done.returncode != 0 and words in done.stderr, f"{arguments}: {done.returncode} {done.stderr}")


def check(context: Context) -> None:
    endings(context)
    told, hooked = Told(), Told()
    receiver = Receiver(hooked, SECRETS[1])
    port = free_port()
    application = Application(port, told)
    with tempfile.TemporaryDirectory() as folder:
        secrets = Path(folder) / "webhook.secrets"
        secrets.write_text("# the new one first\n" + "\n".join(SECRETS) + "\n")
        server = context.server(
            "push-server", "--trust-names", "--upstream-rpc", f"127.0.0.1:{port}",
            "--webhook", f"http://127.0.0.1:{receiver.port}/hook?from=push", "--webhook-secret-file", str(secrets),
            environment={"PUSH_API_KEYS": API_KEY, "PUSH_UPSTREAM_KEY": UPSTREAM_KEY},
        )
        for secret in [*SECRETS, UPSTREAM_KEY]:
            line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
            expect(secret.encode() not in line, "a secret stands on the command line")
        asyncio.run(devices(server, application, port, told, hooked, receiver))
        expect(not receiver.problems, f"webhook: {receiver.problems[:3]}")
        for way, place in (("rpc", told), ("webhook", hooked)):
            counts = counters(server, way)
            expect(counts["delivered"] == len(place.events) and counts["retries"] >= 1, f"{way}: {counts}")
            expect(counts["dropped"] == counts["abandoned"] == counts["refused"] == 0, f"{way}: {counts}")
        context.note(f"{len(told.events)} events by RPC, {len(hooked.events)} posted, {receiver.refused} refused at first")
        server.close()
        for secret in [*SECRETS, UPSTREAM_KEY, API_KEY]:
            expect(secret not in server.log(), "a secret stands in the log")
        hostile_receivers(context, secrets)
        let_in_while_away(context)


if __name__ == "__main__":
    run(check, seconds_max=180)
