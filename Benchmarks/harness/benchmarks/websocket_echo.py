"""`websocket-echo`: how fast, at what CPU and in how much memory one thread echoes WebSocket messages."""

from .. import report
from ..comparison import Case, Comparison
from ..load import IdleConnections
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, ROOT, rig_tool, swift_product

NAME = "websocket-echo"
LIMIT = "C limit (epoll)"
CASES = [
    Case("a", "ping-pong, 200 connections, 64 B", ["-c", "200", "-s", "64"]),
    Case("b", "16 in flight, 50 connections, 64 B", ["-c", "50", "-s", "64", "-d", "16"]),
    Case("c", "ping-pong, 200 connections, 16 KiB", ["-c", "200", "-s", "16384", "-b"]),
    Case("d", "512 in flight, 10 connections, 64 B", ["-c", "10", "-s", "64", "-d", "512"]),
    Case("e", "connect, upgrade, close, 50 at a time", ["-m", "churn", "-c", "50"], "connection"),
]
IDLE = "idle"
WARM_CONNECTIONS = 20


class WebSocketEcho:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.wsload = rig_tool("wsload")
        ours = swift_product(ROOT, "ws-echo")
        self.servers = [
            Server("ws-echo", [str(ours), "--host", "127.0.0.1", "--port", "{port}", "--loops", "1"]),
            Server(LIMIT, [str(rig_tool("climit")), "-p", "{port}"]),
        ]
        if not self.plan.is_quick:
            nio = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-echo")
            self.servers += [
                Server("C limit (io_uring)", [str(rig_tool("uringlimit")), "-p", "{port}"]),
                Server("C limit (io_uring, no copies)", [str(rig_tool("uringlimit")), "-p", "{port}", "-z", "1"]),
                Server("SwiftNIO", [str(nio), "--port", "{port}"]),
            ]

    def run(self) -> str:
        raise_file_limit()
        comparison = Comparison(NAME, self.plan, self.wsload, self.servers, LIMIT)
        parts = [comparison.heading()]
        parts += [comparison.throughput(case) for case in CASES if self.plan.includes(case.letter)]
        if self.plan.includes(IDLE):
            parts.append(self.idle_memory())
        return "\n\n".join(parts)

    def idle_memory(self) -> str:
        count = self.plan.idle_connections
        arguments = ["-S", "4"]
        grown: dict[str, list[float]] = {server.name: [] for server in self.servers}
        for _ in range(self.plan.rounds):
            for server in self.servers:
                with Running(server) as running:
                    with IdleConnections(self.wsload, running, WARM_CONNECTIONS, ["-e"]):
                        before = running.anonymous_bytes()
                        with IdleConnections(self.wsload, running, count, arguments):
                            after = running.anonymous_bytes()
                each = (after - before) / count
                grown[server.name].append(each)
                print(f"idle {server.name:20} {each:8.0f} bytes per connection", flush=True)
        rows = [[name, report.figure(values)] for name, values in grown.items()]
        return (
            f"### idle: {count:,} connections without traffic\n\n"
            f"`wsload -m idle -c {count} {' '.join(arguments)}`: growth of `Anonymous` in `smaps_rollup` after "
            f"{WARM_CONNECTIONS} warm-up connections that echoed once.\n\n"
            + report.table(["server", "bytes per connection"], rows)
        )
