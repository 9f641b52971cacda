#!/usr/bin/env python3
"""The chat in 30 lines: it has no more of them, the article has it as it is, and it chats, by the article's commands."""

import subprocess
from pathlib import Path

from websockets.sync.client import connect

from support.check import ROOT, Context, expect, run
from support.servers import Server, free_port

FILE = ROOT / "Examples" / "TinyChat" / "main.swift"
ARTICLE = ROOT / "Sources" / "Hub" / "Hub.docc" / "ChatIn30Lines.md"


def people(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/ws"
    with connect(f"{url}?name=Ann", proxy=None) as ann, connect(f"{url}?name=Bob", proxy=None) as bob:
        ann.send("Hello!")
        for client in (ann, bob):
            expect(client.recv(10) == "Ann: Hello!", "what Ann says is not heard")
        bob.send("Grüße ☺")
        for client in (ann, bob):
            expect(client.recv(10) == "Bob: Grüße ☺", "what Bob says is not heard")
        with connect(url, proxy=None) as late:
            expect([late.recv(10), late.recv(10)] == ["Ann: Hello!", "Bob: Grüße ☺"], "who comes late does not hear what was said")


def commands(context: Context, port: int) -> None:
    """`swift run PRODUCT ARGUMENTS`, as the article has it, by the products that are built."""
    lines = [line for line in ARTICLE.read_text().splitlines() if line.startswith("swift run ")]
    expect(len(lines) == 2 and lines[0] == "swift run tiny-chat", f"the article's commands are {lines}")
    program, *arguments = lines[1].removeprefix("swift run ").replace("8080", str(port)).split()
    done = subprocess.run(
        [str(Path(context.options.bin) / program), *[argument.strip('"') for argument in arguments]],
        input="Hello from here\n", capture_output=True, text=True, timeout=30,
    )
    expect("Ann: Hello from here" in done.stdout, f"{lines[1]}: {done.stdout} {done.stderr}")


def check(context: Context) -> None:
    text = FILE.read_text()
    expect(len(text.splitlines()) <= 30, f"it has {len(text.splitlines())} lines")
    expect(f"```swift\n{text}```" in ARTICLE.read_text(), "the article does not have the file as it is")
    port = free_port()
    server = Server.start([str(Path(context.options.bin) / "tiny-chat"), str(port)], [], port=port)
    context.servers.append(server)
    server.wait_until_ready()
    people(port)
    commands(context, port)
    server.terminate()
    expect(server.process.wait(20) == 0, f"it ended with {server.process.returncode}")


if __name__ == "__main__":
    run(check, seconds_max=60)
