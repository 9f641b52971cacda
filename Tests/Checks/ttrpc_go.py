#!/usr/bin/env python3
"""Unary calls with containerd's Go implementation of ttrpc 1.1 as the peer, in both directions.

Needs Debian's golang-go and golang-github-containerd-ttrpc-dev. That version knows no streams.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from support.check import Context, expect, run

SOURCE = Path(__file__).resolve().parent / "ttrpc_go" / "main.go"


# What Go's server is called with, and the status that rpc-cli has to tell.
STATUSES = [
    ("Fail", "5 nobody is called Ada", "notFound: nobody is called Ada"),
    ("Fail", "8 so viel gibt es nicht: größer als 7 €", "resourceExhausted: so viel gibt es nicht: größer als 7 €"),
    ("Fail", "16 ", "unauthenticated"),
    ("Fail", "99 a code of nobody's", "status 99: a code of nobody's"),
    ("Fail", "x", "unknown: neither code nor text"),
    ("Missing", "", "unimplemented: "),
]


def refusals(context: Context, port: str) -> None:
    """Go's server fails calls: code and text come as it sent them."""
    program = str(Path(context.options.bin) / "rpc-cli")
    for method, said, wanted in STATUSES:
        text = said.encode()
        # A BytesValue: field 1, shorter than 128 bytes.
        message = bytes([0x0A, len(text)]) + text if text else b""
        done = subprocess.run(
            [program, "call", f"127.0.0.1:{port}", f"bench.Echo/{method}", "--raw", message],
            capture_output=True,
            timeout=60,
        )
        told = done.stderr.decode()
        expect(done.returncode == 2, f"{method} {said!r}: exit code {done.returncode}: {told}")
        expect(told.startswith(f"rpc-cli: {wanted}"), f"{method} {said!r}: {told!r} where {wanted!r} was due")


def seen(context: Context, port: str) -> None:
    """Go's server is told of a call's deadline and metadata."""
    program = str(Path(context.options.bin) / "rpc-cli")
    entries = ["trace=1", "trace=", "user=größe"]
    for timeout in (20, 5_400):
        command = [program, "call", f"127.0.0.1:{port}", "bench.Echo/Seen", "--raw", "", "--timeout", str(timeout)]
        for entry in entries:
            command += ["--metadata", entry]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        expect(done.returncode == 0, f"Seen: exit code {done.returncode}: {done.stderr}")
        deadline, *metadata = done.stdout.splitlines()
        wanted = sorted(["longwire-ext: 1", *(entry.replace("=", ": ", 1) for entry in entries)])
        expect(sorted(metadata) == wanted, f"Go's server saw the metadata {metadata}")
        word, _, left = deadline.partition(" ")
        expect(word == "left" and timeout * 500 < int(left) <= timeout * 1_000, f"{deadline!r} of {timeout} s")


def build(folder: str) -> str:
    program = str(Path(folder) / "ttrpc-go")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(Path(folder) / "cache"),
        "GOFLAGS": "",
    }
    built = subprocess.run(
        ["go", "build", "-o", program, str(SOURCE)], env=environment, capture_output=True, text=True, timeout=240
    )
    expect(built.returncode == 0, f"the Go peer does not build: {built.stdout}{built.stderr}")
    return program


def calls_from_go(context: Context, program: str, executor: str) -> None:
    server = context.server("rpc-bench", "--executor", executor)
    client = subprocess.run(
        [program, "client", f"127.0.0.1:{server.port}"], capture_output=True, text=True, timeout=60
    )
    expect(client.returncode == 0, f"Go's client, executor {executor}: {client.stdout}{client.stderr}")
    context.note(f"{executor}: {client.stdout.strip()}")


def calls_to_go(context: Context, program: str) -> None:
    server = subprocess.Popen([program, "server"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        # 63 bytes of "a" are seven protobuf fields nobody knows, which Go's message keeps and gives back.
        load = subprocess.run(
            [
                str(Path(context.options.bin) / "rpc-bench"), "load", "--port", port, "--bytes", "63",
                "--in-flight", "32", "--seconds", "1",
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
        expect(load.returncode == 0, f"calls to Go's server: {load.stdout}{load.stderr}")
        expect("calls/s=0 " not in load.stdout, f"no calls to Go's server: {load.stdout}")
        refusals(context, port)
        seen(context, port)
    finally:
        server.kill()
        server.wait()
    context.note(f"rpc-bench load held every reply of Go's server for its request, {len(STATUSES)} statuses of it")
    context.note("rpc-cli told Go's server of deadlines and metadata")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        for executor in ("pool", "loop", "inline"):
            calls_from_go(context, program, executor)
        calls_to_go(context, program)


if __name__ == "__main__":
    run(check, seconds_max=420)
