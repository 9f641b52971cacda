#!/usr/bin/env python3
"""push-server and chat-server as systemd starts them: sockets passed, readiness and the end notified, a restart during
which the port stays open; and the files of Examples/systemd, as the article has them, as systemd-analyze reads them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import requests

from support.check import ROOT, Context, expect, run
from support.servers import Server

KEY = "a-key-of-the-service-check"
FILES = ROOT / "Examples" / "systemd"
ARTICLE = ROOT / "Sources" / "Hub" / "Hub.docc" / "RunningUnderSystemd.md"


class Manager:
    """What of a service manager the servers see: a socket that it listens on, and one that it is told things by."""

    def __init__(self, folder: Path):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.name = str(folder / "notify")
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(self.name)
        self.told.settimeout(20)

    def start(self, context: Context, product: str, *arguments: str) -> Server:
        """Starts a server with the listener as descriptor 3, and waits until it says that it is ready."""
        descriptor = self.listener.fileno()
        # LISTEN_PID is the server's own, which only that process knows before the server runs in it.
        script = f'LISTEN_PID=$$ exec "$@" 3<&{descriptor}'
        command = ["bash", "-c", script, "bash", str(Path(context.options.bin) / product), *arguments]
        environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "NOTIFY_SOCKET": self.name, "PUSH_API_KEYS": KEY}
        handle, log_path = tempfile.mkstemp(suffix=".log")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, env={**os.environ, **environment},
            pass_fds=[descriptor],
        )
        os.close(handle)
        server = Server(process, self.port, log_path)
        context.servers.append(server)
        expect(self.next() == "READY=1", "the server does not say that it is ready")
        return server

    def next(self) -> str:
        return self.told.recv(4_096).decode()

    def stop(self, server: Server) -> None:
        server.process.send_signal(signal.SIGTERM)
        expect(self.next() == "STOPPING=1", "the server does not say that it ends")
        expect(server.process.wait(20) == 0, f"the server ended with {server.process.returncode}:\n{server.log()}")

    def close(self) -> None:
        self.listener.close()
        self.told.close()


def asks(port: int, count: int, answers: list[int]) -> threading.Thread:
    """Asks for the health of whoever serves the port, each time by a connection of its own."""

    def work() -> None:
        for _ in range(count):
            answers.append(requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code)
            time.sleep(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def restarts(context: Context, folder: Path, product: str, *arguments: str) -> None:
    manager = Manager(folder)
    server = manager.start(context, product, *arguments)
    # The passed socket counts, whatever port the options say.
    expect(requests.get(f"http://127.0.0.1:{manager.port}/readyz").status_code == 200, "it does not serve the passed socket")
    answers: list[int] = []
    thread = asks(manager.port, 200, answers)
    for _ in range(2):
        time.sleep(0.2)
        manager.stop(server)
        server = manager.start(context, product, *arguments)
    thread.join(60)
    expect(answers.count(200) == 200, f"{answers.count(200)} of 200 requests were answered during two restarts")
    manager.stop(server)
    manager.close()
    os.unlink(manager.name)


def units(context: Context, folder: Path) -> None:
    article = ARTICLE.read_text()
    for file in sorted(FILES.iterdir()):
        expect(file.read_text() in article, f"the article does not have {file.name} as it is")
        text = file.read_text().replace("/usr/local/bin/push-server", str(Path(context.options.bin).resolve() / "push-server"))
        (folder / file.name).write_text(text)
    for line in (FILES / "many-connections.conf").read_text().splitlines():
        name = line.partition("=")[0].strip()
        if name and not name.startswith("#"):
            expect(Path("/proc/sys", *name.split(".")).exists(), f"the kernel has no {name}")
    if shutil.which("systemd-analyze") is None:
        context.note("no systemd-analyze")
        return
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(folder / "push-server.socket"), str(folder / "push-server.service")],
        capture_output=True, text=True, timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "push-server" in line]
    expect(done.returncode == 0 and not ours, f"systemd-analyze says: {done.stderr}")
    context.note("units verified")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory(prefix="service-") as name:
        folder = Path(name)
        units(context, folder)
        restarts(context, folder, "push-server", "--trust-names", "--port", "1", "--store", str(folder / "push.sqlite"))
        restarts(context, folder, "chat-server", "--port", "1")


if __name__ == "__main__":
    run(check, seconds_max=90)
