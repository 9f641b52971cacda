#!/usr/bin/env python3
"""A new user's path: README's package and its chat, in a folder beside a clone; and that README names every module and
example. What README and the articles say of pushing is for push_docs."""

import queue
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from websockets.sync.client import connect

from support.check import ROOT, Context, expect, run
from support.servers import Server, free_port

README = ROOT / "README.md"
LINES_MAX = 15


def blocks(page: Path) -> list[tuple[str, str]]:
    """The blocks of code of a page, each with its language."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def one(texts: list[str], what: str) -> str:
    expect(len(texts) == 1, f"{len(texts)} blocks are {what}")
    return texts[0]


class Line:
    """ws-client with a person at it."""

    def __init__(self, context: Context, *arguments: str):
        self.process = subprocess.Popen(
            [str(Path(context.options.bin) / "ws-client"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def type(self, text: str) -> None:
        self.process.stdin.write(f"{text}\n")

    def next(self, seconds_max: float = 20) -> str:
        try:
            return self.lines.get(timeout=seconds_max)
        except queue.Empty:
            raise TimeoutError(f"{self.process.args} printed nothing") from None


def names() -> None:
    """Every module and every example stands in README's tables once, and what README names is there."""
    text = README.read_text()
    products = re.findall(r"\.(library|executable)\(name: \"([^\"]+)\"", (ROOT / "Package.swift").read_text())
    modules, examples = (text.split(f"## {title}\n")[1].split("\n## ")[0] for title in ("Modules", "Examples"))
    rows = re.findall(r"^\| `(\w+)` \|", modules, re.MULTILINE)
    libraries = [name for kind, name in products if kind == "library"]
    expect(sorted(rows) == sorted(libraries), f"README's table and the products differ in {set(rows) ^ set(libraries)}")
    rows = re.findall(r"^\| `([\w-]+)` \|", examples, re.MULTILINE)
    programs = [name for kind, name in products if kind == "executable"] + ["Echo"]
    expect(sorted(rows) == sorted(programs), f"README's examples and the programs differ in {set(rows) ^ set(programs)}")
    for path in re.findall(r"`((?:Examples|Benchmarks|Scripts)/[\w/.-]+)|\]\(([\w/.-]+)\)", text):
        place = path[0] or path[1]
        expect((ROOT / place).exists(), f"README names {place}, which is not there")


def people(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/ws"
    with connect(url, proxy=None) as ann, connect(url, proxy=None) as bob:
        for text in ("Hello!", "Grüße ☺"):
            ann.send(text)
            for client in (ann, bob):
                expect(client.recv(10) == text, f"{text} is not heard")


def line_client(context: Context, port: int) -> None:
    """The command that stands below the chat, at two terminals."""
    command = one([text for _, text in blocks(README) if "ws-client" in text], "commands of ws-client").strip()
    words = command.removeprefix("swift run --package-path ../longwire ws-client ").split()
    expect(words == ["ws://127.0.0.1:8080/ws"], f"README's command is {command}")
    url = words[0].replace("8080", str(port))
    with Line(context, url) as ann, Line(context, url) as bob:
        # Who says something has joined; who has said something is heard by those who came before.
        bob.type("Is anybody here?")
        expect(bob.next() == "Is anybody here?", "Bob does not hear himself")
        ann.type("I am.")
        expect(bob.next() == "I am.", "Bob does not hear Ann")


def readme(context: Context) -> float:
    """Builds the package as it stands there, beside a clone, with the chat as it stands there, and chats."""
    code = [text for language, text in blocks(README) if language == "swift"]
    manifest = one([text for text in code if "swift-tools-version" in text], "README's package")
    chat = one([text for text in code if "HubServer(" in text], "README's chat")
    counted = [line for line in chat.splitlines() if line and not line.startswith("import ")]
    expect(len(counted) <= LINES_MAX, f"README's chat has {len(counted)} lines")
    # What one run has built, the next one does not build again.
    folder = ROOT / ".build" / "new-user"
    app = folder / "app"
    shutil.rmtree(app / "Sources", ignore_errors=True)
    (app / "Sources" / "app").mkdir(parents=True)
    (folder / "longwire").unlink(missing_ok=True)
    (folder / "longwire").symlink_to(ROOT)
    (app / "Package.swift").write_text(manifest)
    port = free_port()
    (app / "Sources" / "app" / "main.swift").write_text(chat.replace("8080", str(port)))
    began = time.monotonic()
    build = ["swift", "build", "--package-path", str(app)]
    done = subprocess.run(build, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    expect(done.returncode == 0, f"README's package is not built:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    expect("warning:" not in done.stdout, f"the compiler warns:\n{done.stdout[-2000:]}")
    took = time.monotonic() - began
    server = Server.start([str(app / ".build" / "debug" / "app")], [], port=port)
    context.servers.append(server)
    server.wait_until_ready()
    people(port)
    line_client(context, port)
    server.close()
    return took


def check(context: Context) -> None:
    names()
    context.note(f"README's package built in {readme(context):.0f} s")


if __name__ == "__main__":
    run(check, seconds_max=600)
