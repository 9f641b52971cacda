#!/usr/bin/env python3
"""MessagePack-RPC with neovim as the peer: messagepack-peer calls it, and is called back by rpcrequest and rpcnotify.

Needs Debian's neovim.
"""

import subprocess
import tempfile
import time
from pathlib import Path

from support.check import Context, expect, run
from support.servers import free_port

EXPECTED = [
    "lines come back as they were",
    "200 calls in flight give 40200",
    "neovim was told Hello, neovim!",
    "neovim noted 1 n, 2 n, 3 n",
    "nosuchcommand: the peer answered: Vim:E492: Not an editor command: nosuchcommand",
    "sleep: no answer came in time",
]


def drive(context: Context, listen: str, *where: str) -> None:
    editor = subprocess.Popen(
        ["nvim", "--headless", "--clean", "-n", "--listen", listen],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        command = [str(Path(context.options.bin) / "messagepack-peer"), "neovim", *where]
        deadline = time.monotonic() + 20
        while True:
            driven = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if driven.returncode == 0 or driven.stdout or time.monotonic() > deadline:
                break
            # It does not listen yet.
            time.sleep(0.1)
        expect(driven.returncode == 0, f"{' '.join(where)}: {driven.stdout}{driven.stderr}")
        expect(driven.stdout.splitlines() == EXPECTED, f"{' '.join(where)}: {driven.stdout}")
    finally:
        editor.kill()
        editor.wait()


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        socket = str(Path(folder) / "nvim.sock")
        drive(context, socket, "--socket", socket)
    port = free_port()
    drive(context, f"127.0.0.1:{port}", "--port", str(port))
    version = subprocess.run(["nvim", "--version"], capture_output=True, text=True, timeout=20).stdout.splitlines()[0]
    context.note(f"{version}, Unix socket and TCP")


if __name__ == "__main__":
    run(check, seconds_max=120)
