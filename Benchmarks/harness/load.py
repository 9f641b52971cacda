"""Runs `wsload` against a running server and reads its one line of figures."""

import math
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .plan import Plan
from .server import Running, pinned_client


@dataclass(frozen=True)
class Window:
    """One measured window."""

    rate: float  # messages (or connections) per second
    p50_us: float
    p99_us: float
    p999_us: float
    server_cpu_percent: float
    client_cpu_percent: float
    server_ns: float  # server CPU per message (or connection)


def measure(wsload: Path, running: Running, arguments: list[str], plan: Plan) -> Window:
    command = [str(wsload), *arguments, *running.server.load, "-p", str(running.port), "-pid", str(running.pid)]
    command += ["-t", str(plan.seconds), "-w", str(plan.warmup_seconds)]
    done = subprocess.run(
        pinned_client(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=plan.seconds + plan.warmup_seconds + 60,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{running.server.name}, {' '.join(arguments)}: {done.stderr.strip()}")
    return parse(done.stdout)


def system_calls_per_message(load: Path, running: Running, arguments: list[str]) -> float | None:
    """Counted for half a second by `perf stat`; `None` where perf may not count them here."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    command = [str(load), *arguments, "-p", str(running.port), "-pid", str(running.pid), "-t", "1", "-w", "0.5"]
    counted = [perf, "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", str(running.pid), "--", "sleep", "0.5"]
    with subprocess.Popen(pinned_client(command), stdout=subprocess.PIPE, text=True) as client:
        # Past the warm-up, in the middle of the window whose rate is reported.
        time.sleep(0.8)
        done = subprocess.run(counted, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        line, _ = client.communicate(timeout=60)
    count = re.search(r"^(\d+),.*raw_syscalls", done.stderr, re.MULTILINE)
    return float(count[1]) / (parse(line).rate * 0.5) if count else None


def parse(line: str) -> Window:
    def figure(name: str) -> float:
        if name.startswith("p") and " lat_us " not in line:
            return math.nan  # nothing was complete within the window
        found = re.search(rf"{re.escape(name)}=([0-9.]+)", line)
        if found is None:
            raise RuntimeError(f"no {name} in {line!r}")
        return float(found[1])

    return Window(
        rate=figure("rate"),
        p50_us=figure("p50"),
        p99_us=figure("p99"),
        p999_us=figure("p99.9"),
        server_cpu_percent=figure("server_cpu"),
        client_cpu_percent=figure("client_cpu"),
        server_ns=figure("server_ns/msg"),
    )


class IdleConnections:
    """Connections held open without traffic for as long as the `with` block lasts."""

    def __init__(self, wsload: Path, running: Running, count: int, arguments: list[str]):
        self.command = [str(wsload), "-m", "idle", "-p", str(running.port), "-c", str(count), *arguments]

    def __enter__(self) -> "IdleConnections":
        self.process = subprocess.Popen(
            pinned_client(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("READY"):
            self.__exit__()
            raise RuntimeError(f"the idle connections did not come up: {line!r}")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def growth_while_idle(
    load: Path, running: Running, counts: tuple[int, int], processes: int, arguments: list[str]
) -> float:
    """Bytes of its own that each connection takes, from fewer to more of them, held by so many client processes."""
    few, many = counts
    held: list[IdleConnections] = []

    def hold(count: int) -> None:
        for _ in range(processes):
            idle = IdleConnections(load, running, count // processes, arguments)
            idle.__enter__()
            held.append(idle)

    try:
        hold(few)
        before = running.anonymous_bytes()
        hold(many - few)
        return (running.anonymous_bytes() - before) / (many - few)
    finally:
        for idle in held:
            idle.__exit__()
