"""`rpc`: how many calls one connection carries, beside the least a program can do and the RPC of others."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from statistics import median

from .. import report
from ..plan import Plan
from ..server import Running, Server, pinned_client
from ..steal import METHOD, undisturbed
from ..tools import BENCHMARKS, OUTPUT, ROOT, Missing, rig_tool, run, swift_product

NAME = "rpc"
LIMIT = "C, one write a burst"
CASES = {"r1": 1, "r64": 64, "r256": 256}  # calls in flight
BYTES = 64
POLL = "--idle-poll 200"  # what EventLoop.Configuration.idlePollTime is set to, in microseconds
PEERS = BENCHMARKS / "Peers"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """A server with the client that loads it; {port}, {in_flight} and {seconds} stand for what they say."""

    server: Server
    load: list[str]


@dataclass(frozen=True)
class Window:
    rate: float
    p50_us: float
    p99_us: float
    server_cpu: float  # percent of a core
    client_cpu: float


class RPC:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        ours = str(swift_product(ROOT, "rpc-bench"))
        limit, rpcload = str(rig_tool("rpclimit", ())), str(rig_tool("rpcload", ()))
        self.rows = []

        def own(name: str, executor: str, callers: str, poll: str = "") -> None:
            server = Server(name, [ours, "serve", "--port", "{port}", "--executor", executor, *poll.split()])
            load = f"{ours} load --port {{port}} --in-flight {{in_flight}} --bytes {BYTES} --callers {callers} {poll}"
            self.rows.append(Row(server, [*load.split(), "--seconds", "{seconds}"]))

        own("rpc-bench, handlers on the pool", "pool", "loop")
        own("rpc-bench, handlers on the loop", "loop", "loop")
        own("rpc-bench, handlers inline", "inline", "loop")
        own("rpc-bench, handlers and callers on the pool", "pool", "pool")
        own("rpc-bench, handlers on the loop, loops that poll", "loop", "loop", POLL)
        own("rpc-bench, handlers inline, loops that poll", "inline", "loop", POLL)
        for name, coalesce in ((LIMIT, "1"), ("C, a write a call", "0")):
            load = [rpcload, "{port}", "{in_flight}", "{seconds}", "1", str(BYTES)]
            self.rows.append(Row(Server(name, [limit, "{port}", coalesce]), load))
        if not self.plan.is_quick:
            self._build_peers()

    def _build_peers(self) -> None:
        if shutil.which("go") is None:
            raise Missing("two peers need Go: apt-get install golang-go golang-github-containerd-ttrpc-dev")
        go = self._go()
        programs = [("Go net/rpc", [go, "netrpc"]), ("Go ttrpc", [go, "ttrpc"])]
        programs.append(("grpc-swift-2", [str(swift_product(PEERS / "GRPCSwift", "grpc-echo"))]))
        for name, program in programs:
            load = [*program, "load", "{port}", "{in_flight}", "{seconds}", str(BYTES)]
            self.rows.append(Row(Server(name, [*program, "serve", "{port}"]), load))

    def _go(self) -> str:
        """Built from Debian's packages, which lie in a GOPATH and are no modules."""
        print("building gorpc", flush=True)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        program = str(OUTPUT / "gorpc")
        settings = ["env", "GO111MODULE=off", "GOPATH=/usr/share/gocode", "GOFLAGS="]
        run([*settings, "go", "build", "-o", program, "."], PEERS / "GoRPC")
        return program

    def run(self) -> str:
        tables = [self.table(in_flight) for case, in_flight in CASES.items() if self.plan.includes(case)]
        return "\n\n".join([self.heading(), *tables])

    def heading(self) -> str:
        commands = "\n".join(
            f"- {row.server.name}: `{row.server.shown_command()}`, "
            f"`{Server('', row.load).shown_command().replace('{in_flight}', 'N').replace('{seconds}', 'S')}`"
            for row in self.rows
        )
        return (
            f"## {NAME}{' (quick)' if self.plan.is_quick else ''}\n\n{report.machine()}\n\n"
            f"One connection, echo of {BYTES} bytes, server on core 0, client on core 1, {self.plan.rounds} interleaved "
            f"rounds with a fresh server each, windows of {self.seconds} s after a second of warm-up; medians, ± is "
            "half of the distance between the lowest and the highest. Our calls, Go ttrpc's and grpc-swift's have a "
            "deadline and metadata, and ours can be cancelled; every reply is checked. The C programs have ids and "
            "lengths and nothing else, and sleep at once when there is nothing to do, as our loops do by default; loops "
            "that poll look for more for 200 µs before they sleep (`idlePollTime`), and take their cores whole for it. "
            f"CPU is in percent of a core, start and warm-up in it. {METHOD}\n\n"
            f"{commands}\n\nRun again with `Benchmarks/run {'--quick ' if self.plan.is_quick else ''}--only {NAME}`."
        )

    @property
    def seconds(self) -> int:
        return max(1, round(self.plan.seconds))

    def table(self, in_flight: int) -> str:
        windows: dict[str, list[Window]] = {row.server.name: [] for row in self.rows}
        for turn in range(self.plan.rounds):
            for row in self.rows if turn % 2 == 0 else reversed(self.rows):
                with Running(row.server) as running:
                    window = undisturbed(lambda: self.measure(row, running, in_flight))
                windows[row.server.name].append(window)
                print(
                    f"{in_flight:4} {row.server.name:44} {window.rate:12,.0f}/s  p50 {window.p50_us:8.1f}"
                    f"  p99 {window.p99_us:8.1f} us",
                    flush=True,
                )
        limits = [window.rate for window in windows[LIMIT]]
        rows = [
            [
                name,
                report.figure([window.rate for window in measured]),
                report.ratio([window.rate for window in measured], limits),
                report.figure([window.p50_us for window in measured], "us"),
                report.figure([window.p99_us for window in measured], "us"),
                f"{median(window.server_cpu for window in measured):.0f}%",
                f"{median(window.client_cpu for window in measured):.0f}%",
            ]
            for name, measured in windows.items()
        ]
        columns = ["server and client", "calls/s", "of the limit", "p50 µs", "p99 µs", "server CPU", "client CPU"]
        return f"### {in_flight} in flight\n\n" + report.table(columns, rows)

    def measure(self, row: Row, running: Running, in_flight: int) -> Window:
        values = {"port": running.port, "in_flight": in_flight, "seconds": self.seconds}
        command = [re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), part) for part in row.load]
        before, own_before = cpu_seconds(running.pid), os.times()
        done = subprocess.run(
            pinned_client(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        used, own = cpu_seconds(running.pid) - before, os.times()
        if done.returncode != 0:
            raise RuntimeError(f"{row.server.name}: {done.stderr.strip()}")
        figures = {name: float(value) for name, value in re.findall(r"([\w/]+)=([0-9.]+)", done.stdout)}
        elapsed = own.elapsed - own_before.elapsed
        client = own.children_user + own.children_system - own_before.children_user - own_before.children_system
        return Window(
            rate=figures["calls/s"],
            p50_us=figures["p50us"],
            p99_us=figures["p99us"],
            server_cpu=used / elapsed * 100,
            client_cpu=client / elapsed * 100,
        )


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
