#!/usr/bin/env python3
"""push-server and chat-server are succeeded by new processes, time and again, while clients connect without pause and
programs push, by HTTP and by RPC: nobody is refused or cut off before an answer, and nothing that was accepted is lost."""

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from websockets.asyncio.client import connect

from support import backend
from support.chat import PATH, ChatClient
from support.check import Context, expect, run
from support.raw_websocket import RawConnection
from support.servers import Server, free_port

KEY = "a-key-of-the-restart-check"
CLIENTS = 24
SENDERS = 2
RESTARTS = 4


class Connecting:
    """Clients that connect, are welcomed and leave, one after another, from when it begins until it ends."""

    def __init__(self, welcomed):
        self.welcomed = welcomed
        self.problems: Counter[str] = Counter()
        self.count = 0
        self.slowest = 0.0
        self.ended = asyncio.Event()

    async def __aenter__(self) -> "Connecting":
        self.tasks = [asyncio.create_task(self.one(number)) for number in range(CLIENTS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ended.set()
        await asyncio.gather(*self.tasks)

    async def one(self, number: int) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                await self.welcomed(number)
            except Exception as error:  # noqa: BLE001 - whatever it was, this client was not served
                self.problems[f"{type(error).__name__}: {error}"] += 1
            self.count += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


class Sending(threading.Thread):
    """Puts messages into inboxes, each by a connection of its own, and keeps the ids of those that were accepted."""

    def __init__(self, port: int, user: str):
        super().__init__()
        self.port = port
        self.user = user
        self.body = {"user": user, "data": {"a": 1}}
        self.accepted: list[int] = []
        self.problems: Counter[str] = Counter()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.01):
            try:
                self.accepted.append(self.send())
            except Exception as error:  # noqa: BLE001 - whatever it was, this request was not served
                self.problems[f"{type(error).__name__}: {error}"] += 1

    def send(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/api/v1/send", json.dumps(self.body), {"X-API-Key": KEY, "Connection": "close"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 201:
            raise RuntimeError(f"status {answer.status}")
        return json.loads(text)["id"]


class Calling(Sending):
    """The same by RPC."""

    def send(self) -> int:
        return backend.call(self.port, KEY, "Send", self.body)["id"]


def succeedable(context: Context, product: str, arguments: list[str], **settings) -> Server:
    """A server that has begun to wait for its successor, which it does a moment after it accepts."""
    server = context.server(product, *arguments, **settings)
    until_waiting(server, arguments)
    return server


def until_waiting(server: Server, arguments: list[str]) -> None:
    path = Path(arguments[arguments.index("--handover") + 1])
    until(path.exists, lambda: f"nobody waits for a successor:\n{server.log()}")


def until_logged(server: Server, words: str) -> None:
    until(lambda: words in server.log(), lambda: f"{words!r} is not in the log:\n{server.log()}")


def until(condition: Callable[[], bool], problem: Callable[[], str]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        expect(time.monotonic() < deadline, problem())
        time.sleep(0.01)


async def succeed(context: Context, old: Server, product: str, arguments: list[str], environment: dict[str, str]) -> Server:
    """Starts the next server, on the port of the last, and waits until the last has ended."""
    new = Server.start(context.command(product), arguments, port=old.port, environment=environment)
    context.servers.append(new)
    status = await asyncio.to_thread(old.process.wait, 30)
    expect(status == 0, f"the old server ended with {status}:\n{old.log()}")
    await asyncio.to_thread(until_waiting, new, arguments)
    return new


async def everything_kept(port: int, user: str) -> set[int]:
    """Takes all of a user's inbox, and acknowledges it."""
    kept: set[int] = set()
    url = f"ws://127.0.0.1:{port}/ws?user={user}"
    async with connect(url, subprotocols=["push.v1.json"], compression=None, proxy=None) as socket:
        while True:
            try:
                said = json.loads(await asyncio.wait_for(socket.recv(), 3))
            except TimeoutError:
                return kept
            if said["type"] == "inbox":
                kept.add(int(said["inbox"]))
                await socket.send(json.dumps({"type": "acknowledge", "ids": [said["inbox"]]}))


async def push(context: Context, folder: Path) -> None:
    arguments = ["--trust-names", "--store", str(folder / "push.sqlite"), "--handover", str(folder / "push.socket")]
    rpc_port = free_port()
    arguments += ["--rpc-port", str(rpc_port)]
    environment = {"PUSH_API_KEYS": KEY}
    server = succeedable(context, "push-server", arguments, environment=environment)
    url = server.url("/ws")

    async def welcomed(number: int) -> None:
        async with connect(
            f"{url}?user=user-{number}", subprotocols=["push.v1.json"], compression=None, open_timeout=30, proxy=None
        ) as socket:
            said = json.loads(await socket.recv())
            if said["type"] != "welcome":
                raise RuntimeError(f"{said} instead of a welcome")

    senders = [Sending(server.port, f"kept-{number}") for number in range(SENDERS)]
    senders += [Calling(rpc_port, f"called-{number}") for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    async with Connecting(welcomed) as connecting:
        for _ in range(RESTARTS):
            await asyncio.sleep(0.7)
            server = await succeed(context, server, "push-server", arguments, environment)
        await asyncio.sleep(0.7)
    for sender in senders:
        sender.ended.set()
        await asyncio.to_thread(sender.join, 30)
    expect(not connecting.problems, f"of {connecting.count} clients not all were served: {dict(connecting.problems)}")
    for sender in senders:
        expect(not sender.problems, f"of the requests not all were served: {dict(sender.problems)}")
        kept = await everything_kept(server.port, sender.user)
        lost = set(sender.accepted) - kept
        expect(not lost, f"{len(lost)} of {len(sender.accepted)} messages that were accepted are lost")
    server.terminate()
    expect(await asyncio.to_thread(server.process.wait, 20) == 0, "the last server did not end well")
    expect(not (folder / "push.socket").exists(), "the path of the handover is left behind")
    accepted = sum(len(sender.accepted) for sender in senders)
    context.note(
        f"{RESTARTS} restarts, {connecting.count} connects, the slowest {connecting.slowest:.2f} s, {accepted} messages kept"
    )


async def chat(context: Context, folder: Path) -> None:
    """People who are in the chat hear of the end, and find the room as it was."""
    arguments = ["--store", str(folder / "chat.sqlite"), "--handover", str(folder / "chat.socket")]
    server = succeedable(context, "chat-server", arguments)
    url = server.url(PATH)
    ada = await ChatClient.enter(url, "Ada", "lobby")
    await ada.say("before")

    async def welcomed(number: int) -> None:
        guest = await ChatClient.enter(url, f"Guest {number}", f"room-{number}")
        await guest.socket.close()

    async with Connecting(welcomed) as connecting:
        await asyncio.sleep(0.5)
        server = await succeed(context, server, "chat-server", arguments, {})
        await asyncio.sleep(0.5)
    expect(ada.socket.close_code is None or ada.socket.close_code == 1001, f"Ada is closed with {ada.socket.close_code}")
    # Who was in the middle of entering may be told to come again, but not refused.
    told = sum(count for problem, count in connecting.problems.items() if problem.startswith("ConnectionClosed") and "1001" in problem)
    others = {problem: count for problem, count in connecting.problems.items() if not (problem.startswith("ConnectionClosed") and "1001" in problem)}
    expect(not others, f"of {connecting.count} guests not all were served: {others}")
    expect(told <= CLIENTS, f"{told} guests were sent away")
    late = await ChatClient.enter(url, "Bob", "lobby")
    await late.say("after")
    await late.socket.close()
    await asyncio.to_thread(server.close)
    context.note(f"{connecting.count} guests of the chat")


def nobody_to_succeed(context: Context, folder: Path) -> None:
    """Without a predecessor, and behind one that crashed, a server just starts."""
    arguments = ["--trust-names", "--handover", str(folder / "alone.socket")]
    first = succeedable(context, "push-server", arguments, environment={"PUSH_API_KEYS": KEY})
    first.process.kill()
    first.process.wait()
    expect((folder / "alone.socket").exists(), "the crash left no file, so nothing is checked")
    second = context.server("push-server", *arguments, port=first.port, environment={"PUSH_API_KEYS": KEY})
    second.close()


def asked(port: int, count: int, answers: list[object]) -> threading.Thread:
    """Asks for the health of whoever serves the port, each time by a connection of its own."""

    def work() -> None:
        for _ in range(count):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", "/healthz", headers={"Connection": "close"})
                answers.append(connection.getresponse().status)
                connection.close()
            except Exception as error:  # noqa: BLE001 - whatever it was, this request was not served
                answers.append(f"{type(error).__name__}: {error}")
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def successor_dies(context: Context, folder: Path) -> None:
    """A successor that is killed while its predecessor drains: one that comes beside it is sent away, the next one takes
    over in its place, and nobody is refused meanwhile."""
    arguments = ["--trust-names", "--store", str(folder / "dies.sqlite"), "--handover", str(folder / "dies.socket")]
    environment = {"PUSH_API_KEYS": KEY}
    old = succeedable(context, "push-server", arguments, environment=environment)

    def successor() -> Server:
        server = Server.start(context.command("push-server"), arguments, port=old.port, environment=environment)
        context.servers.append(server)
        return server

    # Who answers no close holds the drain up.
    stuck = RawConnection(old.port)
    stuck.upgrade("/ws?user=stuck", subprotocol="push.v1.json")
    first = successor()
    until_logged(old, "draining")
    beside = successor()
    expect(beside.process.wait(20) == 1 and "busy" in beside.log(), f"a second successor: {beside.log()}")
    first.process.kill()
    first.process.wait()
    answers: list[object] = []
    thread = asked(old.port, 50, answers)
    time.sleep(0.2)
    expect(old.process.poll() is None, "the old server was too fast for this check")
    last = successor()
    expect(old.process.wait(30) == 0, f"the old server ended badly:\n{old.log()}")
    thread.join(60)
    expect(answers == [200] * 50, f"not everybody was served: {[answer for answer in answers if answer != 200]}")
    stuck.socket.close()
    last.close()


STRANGER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as path:
    path.settimeout(10)
    path.connect(sys.argv[1])
    path.send(bytes([1]))
    try:
        data, found, *_ = path.recvmsg(16, 1024)
    except ConnectionResetError:
        data, found = b"", []
    print(len(data), len(found))
"""


def stranger(context: Context, folder: Path) -> None:
    """Another user's process gets nothing, even where the path lets it in."""
    # One that others may run, too.
    python = shutil.which("python3", path="/usr/bin:/bin")
    if os.geteuid() != 0 or python is None:
        context.note("no other user to be")
        return
    path = folder / "mine.socket"
    arguments = ["--trust-names", "--handover", str(path)]
    server = succeedable(context, "push-server", arguments, environment={"PUSH_API_KEYS": KEY})
    folder.chmod(0o755)
    path.chmod(0o777)
    done = subprocess.run(
        [python, "-c", STRANGER, str(path)], user=65_534, cwd="/", capture_output=True, text=True, timeout=30
    )
    expect(done.stdout == "0 0\n", f"another user is told {done.stdout!r} {done.stderr}")
    answers: list[object] = []
    asked(server.port, 1, answers).join(30)
    expect(answers == [200], "the server does not go on")
    server.close()


async def check(context: Context) -> None:
    with tempfile.TemporaryDirectory(prefix="restart-") as name:
        folder = Path(name)
        await push(context, folder)
        await chat(context, folder)
        nobody_to_succeed(context, folder)
        await asyncio.to_thread(successor_dies, context, folder)
        stranger(context, folder)


if __name__ == "__main__":
    run(check, seconds_max=150)
