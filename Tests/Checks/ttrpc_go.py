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
    finally:
        server.kill()
        server.wait()
    context.note("rpc-bench load held every reply of Go's server for its request")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        for executor in ("pool", "loop", "inline"):
            calls_from_go(context, program, executor)
        calls_to_go(context, program)


if __name__ == "__main__":
    run(check, seconds_max=420)
