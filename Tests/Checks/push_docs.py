#!/usr/bin/env python3
"""What the push server's articles and the README tell to type, typed as it stands there (but for the port), in their order: curl,
Python and devices; and what they say comes back and is heard, each line of it and no other."""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from support.article import Block, Shell, blocks, commands, fits
from support.check import ROOT, Context, expect, run
from support.servers import free_port

ARTICLES = [
    ROOT / "Sources" / "HubHTTP" / "HubHTTP.docc" / "UsingTheAPI.md",
    ROOT / "Sources" / "HubHTTP" / "HubHTTP.docc" / "PushWithReceipts.md",
    ROOT / "README.md",
]
# Each of them has a curl line somewhere.
REQUESTS = [
    "publish", "send", "broadcast", "campaigns", "kick", "presence?topic=", "presence?user=", "history", "sessions",
    "campaigns/spring/pause", "campaigns/spring/resume", "campaigns/spring/cancel",
]
SECONDS_MAX = 20

# `swift run PRODUCT` by what is built, and the server on the check's port; each notes its process.
SWIFT = """#!/bin/sh
shift
product=$1
shift
exec {shims}/$product "$@"
"""
PRODUCT = """#!/bin/sh
exec {bin}/{product} "$@"
"""
DEVICES = """#!/bin/sh
exec {bin}/push-devices --url ws://127.0.0.1:{port}/ws "$@"
"""
SERVER = """#!/bin/sh
echo $$ >>{folder}/pids
case "$*" in *--port*) ;; *) set -- "$@" --port {port} ;; esac
exec {bin}/push-server "$@" >>{folder}/server.log 2>&1
"""


class Listener:
    """A program of the article that runs on: a device. What it prints is read line by line."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, text=True,
            env=environment,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def next_line(self, seconds: float) -> str | None:
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def type(self, text: str) -> None:
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Lets it end, and returns its exit code and what it had to complain."""
        self.process.stdin.close()
        try:
            self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(SECONDS_MAX)
        return self.process.returncode, self.process.stderr.read()


class Reader:
    """Does what an article says."""

    def __init__(self, context: Context, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.ran: list[str] = []
        self.answers: list[tuple[str, str]] = []
        self.device: Listener | None = None
        # Whether the device is a program that the next command waits for.
        self.at_terminal = False
        shims = folder / "shims"
        shims.mkdir()
        binaries = Path(context.options.bin).resolve()
        self._script(shims / "swift", SWIFT.format(shims=shims))
        self._script(shims / "push-server", SERVER.format(folder=folder, port=self.port, bin=binaries))
        self._script(shims / "push-devices", DEVICES.format(port=self.port, bin=binaries))
        self._script(shims / "ws-client", PRODUCT.format(bin=binaries, product="ws-client"))
        self._path = f"{shims}:/usr/bin:/bin"
        self._shell = Shell(folder, self._path, errors=folder / "shell.err")

    def _script(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    # What stands in it.

    def read(self, block: Block) -> None:
        text = block.text.replace("8080", str(self.port))
        if block.kind == "json":
            return self.answered(text.splitlines())
        if block.kind == "text" and self.answers:
            return self.answered([text])
        if block.kind == "text":
            return self.type(text) if block.lead == "Type" else self.heard(text.splitlines())
        self.all_is_shown()
        if self.at_terminal:
            self.hang_up(None)
        if block.kind == "sh":
            for command in commands(text):
                self.command(command)
        else:
            self.program(text)

    def command(self, command: str) -> None:
        if command.startswith("swift run ws-client"):
            self.at_terminal = True
            return self.listen(["bash", "-c", f"exec {command}"])
        status, output = self._shell.run(command)
        expect(status == 0, f"{command}\nended with {status}: {output}{self._shell.complaints()}")
        self.ran.append(command)
        if "push-server" in command:
            self.wait_until_served()
        elif "/metrics" in command:
            expect("hub_messages_published_total" in output, f"{command}: {output[:200]}")
        elif output and not command.startswith("kill "):
            self.answers.append((command, output))

    def program(self, text: str) -> None:
        path = self.folder / "program.py"
        path.write_text(text)
        if "async" in text:
            return self.listen([sys.executable, str(path)])
        done = subprocess.run(
            [sys.executable, str(path)], cwd=self.folder, capture_output=True, text=True, timeout=SECONDS_MAX,
            env={"PATH": self._path},
        )
        expect(done.returncode == 0, f"{text}\n{done.stderr}")
        self.ran.append(text)
        self.answers.append((text, done.stdout))

    def listen(self, command: list[str]) -> None:
        expect(self.device is None, "two devices at a time")
        self.device = Listener(command, self.folder, {"PATH": self._path})

    def type(self, text: str) -> None:
        expect(self.device is not None, f"nobody to type {text} to")
        self.device.type(text)

    # What it says comes of it.

    def answered(self, shown: list[str]) -> None:
        expect(len(shown) == len(self.answers), f"{len(shown)} answers are shown of {[one for one, _ in self.answers]}")
        for (command, answer), expected in zip(self.answers, shown):
            expect(fits(answer, expected), f"{command}\nanswered {answer!r}, and not {expected!r}")
        self.answers = []

    def heard(self, shown: list[str]) -> None:
        expect(self.device is not None, f"nobody hears {shown}")
        for expected in shown:
            line = self.device.next_line(SECONDS_MAX)
            expect(line is not None and fits(line, expected), f"heard {line!r}, and not {expected!r}")

    def all_is_shown(self) -> None:
        expect(not self.answers, f"no answer is shown of {self.answers}")

    def end(self, code: str | None) -> None:
        self.all_is_shown()
        if self.device is not None:
            self.hang_up(code)

    def hang_up(self, code: str | None) -> None:
        """The device has heard no more than is shown, and ends as it is said to."""
        line = self.device.next_line(1)
        expect(line is None, f"heard {line!r}, which is not shown")
        status, complaint = self.device.end()
        if code is None:
            expect(status in (0, -signal.SIGTERM), f"the device ended with {status}: {complaint}")
        else:
            expect(status == 1 and code in complaint, f"the device ended with {status}: {complaint}")
        self.device = None
        self.at_terminal = False

    # The server.

    def wait_until_served(self) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                log = self.folder / "server.log"
                expect(
                    time.monotonic() < deadline, f"no server: {log.read_text() if log.exists() else 'it was not started'}"
                )
                time.sleep(0.05)

    def close(self) -> None:
        if self.device is not None:
            self.device.process.kill()
        pids = self.folder / "pids"
        for pid in pids.read_text().split() if pids.exists() else []:
            stop(int(pid))
        self._shell.close()


def stop(pid: int) -> None:
    """Ends a server that the article's shell has started, where it has not ended by itself, and waits for that."""
    deadline = time.monotonic() + SECONDS_MAX
    line = Path(f"/proc/{pid}/cmdline")
    try:
        if b"push-server" in line.read_bytes():
            os.kill(pid, signal.SIGTERM)
        while b"push-server" in line.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.05)
    except (FileNotFoundError, ProcessLookupError):
        pass


def close_code(text: str) -> str | None:
    """The code that an article says its device's program ends with."""
    found = re.search(r"ends with `ConnectionClosedError: received (\d{4})", text)
    return found[1] if found else None


def follow(context: Context, article: Path) -> list[str]:
    text = article.read_text()
    found = blocks(text, "sh|python|json|text")
    if article.name == "README.md":
        found = [block for block in found if block.kind in ("json", "text") or "curl" in block.text]
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(context, Path(folder))
        try:
            for block in found:
                reader.read(block)
            reader.end(close_code(text))
        finally:
            reader.close()
        return reader.ran


def every_request_is_shown(ran: list[str]) -> None:
    curls = [command for command in ran if command.startswith("curl ")]
    for request in REQUESTS:
        pattern = rf"/api/v1/{re.escape(request)}(?![\w/])" if request[-1] != "=" else re.escape(f"/api/v1/{request}")
        expect(any(re.search(pattern, line) for line in curls), f"no curl line of {request}")
    expect(any("requests" in program for program in ran), "no program with requests")


def check(context: Context) -> None:
    ran: list[str] = []
    for article in ARTICLES:
        ran += follow(context, article)
    every_request_is_shown(ran)
    context.note(f"{len(ran)} commands and programs of {len(ARTICLES)} texts")


if __name__ == "__main__":
    run(check, seconds_max=240)
