#!/usr/bin/env python3
"""The command line of chat-server and ws-echo: help, flags, environment, and one clear line for what goes wrong."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from support.check import Context, Failed, expect, run
from support.raw_websocket import RawConnection
from support.servers import Server, free_port

NOBODY = 65_534
FLAGS = {
    "chat-server": [
        "--host", "--port", "--loops", "--max-connections", "--log-level", "--store", "--store-max", "--history-days", "--dashboard",
        "--handover",
    ],
    "ws-echo": ["--host", "--port", "--loops", "--compression"],
}
VARIABLES = [
    "CHAT_HOST", "CHAT_PORT", "CHAT_LOOPS", "CHAT_MAX_CONNECTIONS", "CHAT_LOG_LEVEL", "CHAT_STORE", "CHAT_STORE_MAX",
    "CHAT_HISTORY_DAYS", "CHAT_DASHBOARD", "CHAT_HANDOVER",
]
LOG_LINE = re.compile(r"^\S*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}")
TRACE = re.compile(r"Fatal error|Stack dump|Crash|Thread \d+|\bat /|\.swift:\d+|NSError|Optional\(")


class CommandLine:
    def __init__(self, context: Context):
        self.context = context
        self.count = 0

    def product(self, name: str) -> str:
        return str(Path(self.context.options.bin) / name)

    def ended(self, command: list[str], environment: dict[str, str] | None = None, **settings) -> subprocess.CompletedProcess:
        self.count += 1
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CHAT_")}
        return subprocess.run(
            command,
            env={**clean, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            **settings,
        )

    def fails(self, title: str, command: list[str], status: int, says: str, **settings) -> None:
        """The command must end with `status` and one line on standard error that says so."""
        try:
            done = self.ended(command, **settings)
        except subprocess.TimeoutExpired:
            raise Failed(f"{title}: it runs on") from None
        both = done.stdout + done.stderr
        expect(done.returncode == status, f"{title}: exit code {done.returncode} instead of {status}: {both!r}")
        expect(not TRACE.search(both), f"{title}: a trace: {both!r}")
        lines = [line for line in done.stderr.splitlines() if line and not LOG_LINE.match(line)]
        # The usage and where to find help may follow a mistake on the command line.
        lines = [line for line in lines if not re.match(r"Usage:|Help:|\s+See ", line)]
        expect(len(lines) == 1, f"{title}: {len(lines)} lines instead of one: {both!r}")
        expect(re.search(says, lines[0], re.IGNORECASE) is not None, f"{title}: {lines[0]!r} does not say {says!r}")

    def started(self, *arguments: str, port: int | None = None, environment=None, **settings) -> Server:
        self.count += 1
        server = Server.start(
            [self.product("chat-server")], list(arguments), port=port, environment=environment, **settings
        )
        self.context.servers.append(server)
        server.wait_until_ready()
        return server


def help_texts(line: CommandLine) -> None:
    for product, flags in FLAGS.items():
        done = line.ended([line.product(product), "--help"])
        expect(done.returncode == 0, f"{product} --help: exit code {done.returncode}")
        for flag in flags:
            described = re.search(rf"^\s+{flag}\b.*(\n\s{{10,}}.*)*", done.stdout, re.MULTILINE)
            expect(described is not None, f"{product} --help does not list {flag}")
            words = described[0].replace(flag, "").split()
            expect(len(words) > 3, f"{product} --help says nothing of {flag}")
        expect("OVERVIEW" in done.stdout and "default" in done.stdout, f"{product} --help has no overview or defaults")
    text = line.ended([line.product("ws-client"), "--help"]).stdout
    for flag in ("--unix", "--proxy", "--header", "--subprotocol", "--hex", "--verbose", "--ping", "--timeout", "--linger"):
        expect(flag in text, f"ws-client --help does not list {flag}")
    text = line.ended([line.product("chat-server"), "--help"]).stdout
    for variable in VARIABLES:
        expect(variable in text, f"chat-server --help does not name {variable}")


def bad_flags(line: CommandLine) -> None:
    for product in FLAGS:
        command = line.product(product)
        line.fails(f"{product}: unknown flag", [command, "--nope"], 64, "--nope")
        line.fails(f"{product}: port without value", [command, "--port"], 64, "--port")
        for value in ("abc", "70000", "-1"):
            line.fails(f"{product}: port {value}", [command, f"--port={value}"], 64, value)
        line.fails(f"{product}: no loops", [command, "--loops", "0"], 64, "loops|0")
        line.fails(f"{product}: stray argument", [command, "stray"], 64, "stray")
    chat = line.product("chat-server")
    line.fails("unknown log level", [chat, "--log-level", "loud"], 64, "loud")
    line.fails("no connections", [chat, "--max-connections", "0"], 64, "connections|0")
    line.fails("no room in the store", [chat, "--store-max", "0"], 64, "--store-max.*0")
    line.fails("no history", [chat, "--history-days", "0"], 64, "--history-days.*0")
    line.fails("CHAT_PORT=abc", [chat], 64, "CHAT_PORT|abc", environment={"CHAT_PORT": "abc"})
    line.fails("CHAT_LOG_LEVEL=loud", [chat], 64, "CHAT_LOG_LEVEL|loud", environment={"CHAT_LOG_LEVEL": "loud"})


def addresses(line: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for product in FLAGS:
            command = [line.product(product), "--host", "127.0.0.1", "--port", port]
            line.fails(f"{product}: port in use", command, 1, f"{port}.*in use|in use.*{port}")
    for product in FLAGS:
        # An address for documentation, which no machine has: it cannot be bound.
        command = [line.product(product), "--host", "192.0.2.1", "--port", str(free_port())]
        line.fails(f"{product}: another machine's address", command, 1, r"192\.0\.2\.1")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            # A copy, because nobody may read the folder that the checkout is in; a moved binary has to work anyway.
            moved = shutil.copy(line.product(product), folder)
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
            line.fails(
                f"{product}: privileged port", [moved, "--host", "127.0.0.1", "--port", "80"], 1,
                "permission|not permitted|not allowed", cwd="/", **user,
            )


def second_server(line: CommandLine) -> None:
    """Two of our own on one port: SO_REUSEPORT must not let the second one steal from the first."""
    port = free_port()
    first = line.started("--port", str(port), port=port)
    command = [line.product("chat-server"), "--port", str(first.port)]
    line.fails("a second server on the port", command, 1, f"{first.port}.*in use|in use.*{first.port}")
    first.close()


def environment_variables(line: CommandLine) -> None:
    port = free_port()
    line.started(port=port, environment={"CHAT_PORT": str(port), "CHAT_HOST": "127.0.0.1", "CHAT_LOOPS": "1"}).close()

    flagged = free_port()
    server = line.started("--port", str(flagged), port=flagged, environment={"CHAT_PORT": str(port)})
    with socket.socket() as probe:
        expect(probe.connect_ex(("127.0.0.1", port)) != 0, "the environment won over the flag")
    server.close()

    port = free_port()
    few = {"CHAT_MAX_CONNECTIONS": "1", "CHAT_LOG_LEVEL": "debug", "CHAT_PORT": str(port)}
    server = line.started(port=port, environment=few)
    with RawConnection(port) as first:
        first.upgrade("/ws")
        with RawConnection(port) as second:
            try:
                second.upgrade("/ws")
                raise Failed("CHAT_MAX_CONNECTIONS=1 let two in")
            except Exception as refused:
                expect("503" in str(refused), f"beyond the limit: {refused} instead of 503")
    expect(" debug" in server.log().lower(), "CHAT_LOG_LEVEL=debug logs nothing at debug")
    server.close()


def file_limit(line: CommandLine) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    port = free_port()
    server = line.started(
        "--port", str(port), port=port,
        before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)),
    )
    soft = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[0]
    expect(soft == hard, f"the limit of open files is {soft}, not the hard limit {hard}")
    expect(str(hard) in server.log(), "the log does not say the limit of open files")
    server.close()


def interrupt(line: CommandLine) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        port = free_port()
        server = line.started("--port", str(port), port=port)
        server.process.send_signal(number)
        expect(server.process.wait(15) == 0, f"exit code {server.process.returncode} after {number.name}")


def check(context: Context) -> None:
    line = CommandLine(context)
    problems = []
    parts = [help_texts, bad_flags, addresses, second_server, environment_variables, file_limit, interrupt]
    for part in parts:
        try:
            part(line)
        except (Failed, OSError, RuntimeError, subprocess.TimeoutExpired) as problem:
            problems.append(f"{part.__name__}: {problem}")
    for problem in problems:
        print(f"  {problem}")
    expect(not problems, f"{len(problems)} of {len(parts)} parts went wrong")
    context.note(f"{line.count} commands")


if __name__ == "__main__":
    run(check, seconds_max=180)
