#!/usr/bin/env python3
"""push-server and chat-server as systemd starts them: sockets passed, readiness, life and the end notified, a restart
during which the ports stay open; and the files of Examples/systemd, as the article has them, read by hand and, where that
is installed, by systemd-analyze."""

import configparser
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import requests

from support import backend
from support.check import ROOT, Context, expect, run
from support.servers import Server

KEY = "a-key-of-the-service-check"
FILES = ROOT / "Examples" / "systemd"
ARTICLE = ROOT / "Sources" / "Hub" / "Hub.docc" / "RunningUnderSystemd.md"
WATCHDOG_SECONDS = 0.4
ALIVE = "WATCHDOG=1"
# What the two units may say: systemd.unit(5), systemd.service(5), systemd.socket(5), systemd.exec(5).
DIRECTIVES = {
    "Unit": {"Description", "Requires", "After"},
    "Install": {"WantedBy"},
    "Socket": {"ListenStream", "Backlog"},
    "Service": {
        "Type", "ExecStart", "LoadCredential", "LimitNOFILE", "WatchdogSec", "TimeoutStopSec", "Restart", "DynamicUser",
        "StateDirectory", "StateDirectoryMode", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp",
        "PrivateDevices", "RestrictAddressFamilies",
    },
}


class Manager:
    """What of a service manager the servers see: sockets that it listens on, and one that it is told things by."""

    def __init__(self, folder: Path):
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2)]
        self.port, self.rpc_port = (listener.getsockname()[1] for listener in self.listeners)
        self.name = str(folder / "notify")
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(self.name)
        self.told.settimeout(20)
        self.signs = 0

    def start(self, context: Context, product: str, *arguments: str, watches: bool = True) -> Server:
        """Starts a server with the listeners from descriptor 3 on, the second one for RPC where the server has that, and
        waits until it says that it is ready."""
        used = 1
        if product == "push-server":
            used, arguments = 2, (*arguments, "--rpc-port", str(self.rpc_port))
        # Numbers beyond those that they are to have.
        descriptors = [fcntl.fcntl(listener, fcntl.F_DUPFD, 100) for listener in self.listeners[:used]]
        passed = " ".join(f"{3 + index}<&{descriptor}" for index, descriptor in enumerate(descriptors))
        # LISTEN_PID is the server's own, which only that process knows before the server runs in it.
        script = f'LISTEN_PID=$$ exec "$@" {passed}'
        command = ["bash", "-c", script, "bash", str(Path(context.options.bin) / product), *arguments]
        environment = {"LISTEN_FDS": str(used), "NOTIFY_SOCKET": self.name, "PUSH_API_KEYS": KEY}
        environment["LISTEN_FDNAMES"] = ":".join(["push-server.socket"] * used)
        if watches:
            environment["WATCHDOG_USEC"] = f"{WATCHDOG_SECONDS * 1e6:.0f}"
        handle, log_path = tempfile.mkstemp(suffix=".log")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, env={**os.environ, **environment},
            pass_fds=descriptors,
        )
        for descriptor in (handle, *descriptors):
            os.close(descriptor)
        server = Server(process, self.port, log_path)
        context.servers.append(server)
        expect(self.next() == "READY=1", "the server does not say that it is ready")
        return server

    def next(self) -> str:
        """What it says next, but for signs of life, which are counted."""
        while (said := self.told.recv(4_096).decode()) == ALIVE:
            self.signs += 1
        return said

    def lives(self, seconds: float) -> int:
        """How many signs of life there are in a while."""
        before, deadline = self.signs, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.told.settimeout(left)
            try:
                said = self.told.recv(4_096).decode()
            except TimeoutError:
                break
            expect(said == ALIVE, f"the server says {said}")
            self.signs += 1
        self.told.settimeout(20)
        return self.signs - before

    def stop(self, server: Server) -> None:
        server.process.send_signal(signal.SIGTERM)
        expect(self.next() == "STOPPING=1", "the server does not say that it ends")
        expect(server.process.wait(20) == 0, f"the server ended with {server.process.returncode}:\n{server.log()}")

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.told.close()


def signs_of_life(context: Context, manager: Manager, product: str, *arguments: str) -> None:
    """Twice in the time that the manager allows; none where it does not watch."""
    server = manager.start(context, product, *arguments)
    signs = manager.lives(5 * WATCHDOG_SECONDS)
    expect(8 <= signs <= 12, f"{signs} signs of life in the time for 10")
    os.kill(server.pid, signal.SIGSTOP)
    manager.lives(WATCHDOG_SECONDS / 2)
    expect(manager.lives(2 * WATCHDOG_SECONDS) == 0, "a process that is stopped gives signs of life")
    os.kill(server.pid, signal.SIGCONT)
    manager.stop(server)
    server = manager.start(context, product, *arguments, watches=False)
    expect(manager.lives(2 * WATCHDOG_SECONDS) == 0, "signs of life that nobody wants")
    manager.stop(server)


def asks(port: int, count: int, answers: list[int]) -> threading.Thread:
    """Asks for the health of whoever serves the port, each time by a connection of its own."""

    def work() -> None:
        for _ in range(count):
            answers.append(requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code)
            time.sleep(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def calls(port: int, count: int, problems: list[str]) -> threading.Thread:
    """As `asks`, by RPC."""

    def work() -> None:
        for _ in range(count):
            try:
                backend.call(port, KEY, "Sessions", {})
            except (OSError, RuntimeError) as error:
                problems.append(f"{type(error).__name__}: {error}")
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
    problems: list[str] = []
    caller = calls(manager.rpc_port, 200 if product == "push-server" else 0, problems)
    for _ in range(2):
        time.sleep(0.2)
        manager.stop(server)
        server = manager.start(context, product, *arguments)
    thread.join(60)
    expect(answers.count(200) == 200, f"{answers.count(200)} of 200 requests were answered during two restarts")
    caller.join(60)
    expect(not problems, f"of 200 calls not all were answered: {problems}")
    manager.stop(server)
    signs_of_life(context, manager, product, *arguments)
    manager.close()
    os.unlink(manager.name)


class Unit(configparser.RawConfigParser):
    """A unit's directives, each with all its values."""

    def __init__(self, path: Path):
        super().__init__(delimiters="=", strict=False, interpolation=None)
        self.optionxform = str
        self.read_string(path.read_text())
        self.lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#["]

    def all(self, name: str) -> list[str]:
        return [line.partition("=")[2] for line in self.lines if line.startswith(f"{name}=")]


def read_by_hand(context: Context) -> None:
    """Every directive is one that stands in the manual; what the units and the program have in common fits together."""
    for path in sorted(FILES.glob("*.s*")):
        unit = Unit(path)
        for section in unit.sections():
            unknown = set(unit[section]) - DIRECTIVES.get(section, set())
            expect(not unknown, f"{path.name}: {unknown} in [{section}]")
    service = Unit(FILES / "push-server.service")
    start = service["Service"]["ExecStart"]
    program = Path(context.options.bin) / "push-server"
    help_text = subprocess.run([str(program), "--help"], capture_output=True, text=True, timeout=30).stdout
    for option in re.findall(r"--[a-z-]+", start):
        expect(option in help_text, f"push-server has no {option}")
    wanted = set(re.findall(r"\$\{CREDENTIALS_DIRECTORY\}/(\S+)", start))
    loaded = {value.partition(":")[0] for value in service.all("LoadCredential")}
    expect(wanted == loaded, f"credentials {wanted} are used, and {loaded} loaded")
    socket_unit = "push-server.socket"
    expect(service["Unit"]["Requires"] == socket_unit and (FILES / socket_unit).exists(), "the service has no socket")
    # It has to have ended before systemd loses patience.
    expect(int(service["Service"]["TimeoutStopSec"]) > 5, "less time to stop than the drain takes")


def units(context: Context, folder: Path) -> None:
    read_by_hand(context)
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
