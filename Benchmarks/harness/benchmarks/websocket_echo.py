"""`websocket-echo`: how fast, at what CPU and in how much memory one thread echoes WebSocket messages."""

from dataclasses import dataclass
from statistics import median

from .. import report
from ..load import IdleConnections, Window, measure
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, ROOT, rig_tool, swift_product

OURS, LIMIT = "ws-echo", "C limit (epoll)"


@dataclass(frozen=True)
class Case:
    letter: str
    title: str
    arguments: list[str]
    unit: str = "message"


CASES = [
    Case("a", "ping-pong, 200 connections, 64 B", ["-c", "200", "-s", "64"]),
    Case("b", "16 in flight, 50 connections, 64 B", ["-c", "50", "-s", "64", "-d", "16"]),
    Case("c", "ping-pong, 200 connections, 16 KiB", ["-c", "200", "-s", "16384", "-b"]),
    Case("d", "512 in flight, 10 connections, 64 B", ["-c", "10", "-s", "64", "-d", "512"]),
    Case("e", "connect, upgrade, close, 50 at a time", ["-m", "churn", "-c", "50"], "connection"),
]
IDLE = "idle"
IDLE_ROUNDS = 3
WARM_CONNECTIONS = 20


class WebSocketEcho:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.servers: list[Server] = []

    def build(self) -> None:
        self.wsload = rig_tool("wsload")
        ours = swift_product(ROOT, "ws-echo")
        self.servers = [
            Server(OURS, [str(ours), "--host", "127.0.0.1", "--port", "{port}", "--loops", "1"]),
            Server(LIMIT, [str(rig_tool("climit")), "-p", "{port}"]),
        ]
        if not self.plan.is_quick:
            nio = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-echo")
            self.servers += [
                Server("C limit (io_uring)", [str(rig_tool("uringlimit")), "-p", "{port}"]),
                Server("SwiftNIO", [str(nio), "--port", "{port}"]),
            ]

    def run(self) -> str:
        raise_file_limit()
        parts = [f"## websocket-echo{' (quick)' if self.plan.is_quick else ''}", report.machine(), self.method()]
        for case in CASES:
            if self.plan.includes(case.letter):
                parts.append(self.throughput(case))
        if self.plan.includes(IDLE):
            parts.append(self.idle_memory())
        return "\n\n".join(parts)

    def method(self) -> str:
        commands = "\n".join(f"- {server.name}: `{server.shown_command()}`" for server in self.servers)
        return (
            f"Server on core 0, client on core 1, {self.plan.rounds} interleaved rounds with a fresh server each, "
            f"{self.plan.warmup_seconds:g} s of warm-up, windows of {self.plan.seconds:g} s. Every figure is the "
            "median of the rounds; ± is half of the distance between the lowest and the highest.\n\n"
            f"{commands}\n\n"
            f"Run again with `Benchmarks/run {'--quick ' if self.plan.is_quick else ''}--only websocket-echo`."
        )

    def throughput(self, case: Case) -> str:
        windows: dict[str, list[Window]] = {server.name: [] for server in self.servers}
        for _ in range(self.plan.rounds):
            for server in self.servers:
                with Running(server) as running:
                    window = measure(self.wsload, running, case.arguments, self.plan)
                windows[server.name].append(window)
                print(
                    f"{case.letter}  {server.name:20} {window.rate:12,.0f}/s  p99 {window.p99_us:9.1f} us"
                    f"  server {window.server_ns:8.0f} ns per {case.unit}",
                    flush=True,
                )
        rows = []
        limit = median(w.rate for w in windows[LIMIT])
        for name, measured in windows.items():
            rate = [w.rate for w in measured]
            rows.append([
                name,
                report.figure(rate),
                f"{median(rate) / limit:.2f}",
                report.shown(median(w.p50_us for w in measured), "us"),
                report.shown(median(w.p99_us for w in measured), "us"),
                report.shown(median(w.p999_us for w in measured), "us"),
                report.figure([w.server_ns for w in measured]),
                f"{median(w.server_cpu_percent for w in measured):.0f}%",
                f"{median(w.client_cpu_percent for w in measured):.0f}%",
            ])
        heading = f"### {case.letter}: {case.title}\n\n`wsload {' '.join(case.arguments)}`"
        columns = [f"{case.unit}s/s", "of the limit", "p50 µs", "p99 µs", "p99.9 µs"]
        columns += [f"server CPU ns/{case.unit}", "server CPU", "client CPU"]
        return heading + "\n\n" + report.table(["server", *columns], rows)

    def idle_memory(self) -> str:
        count = self.plan.idle_connections
        sources = ["-S", "4"]
        grown: dict[str, list[float]] = {server.name: [] for server in self.servers}
        for _ in range(IDLE_ROUNDS):
            for server in self.servers:
                with Running(server) as running:
                    with IdleConnections(self.wsload, running, WARM_CONNECTIONS, ["-e"]):
                        before = running.anonymous_bytes()
                        with IdleConnections(self.wsload, running, count, sources):
                            after = running.anonymous_bytes()
                each = (after - before) / count
                grown[server.name].append(each)
                print(f"idle  {server.name:20} {each:8.0f} bytes per connection", flush=True)
        rows = [[name, report.figure(values)] for name, values in grown.items()]
        return (
            f"### idle: {count:,} connections without traffic\n\n"
            f"`wsload -m idle -c {count} -S 4`: growth of `Anonymous` in `smaps_rollup` after "
            f"{WARM_CONNECTIONS} warm-up connections that echoed once.\n\n"
            + report.table(["server", "bytes per connection"], rows)
        )
