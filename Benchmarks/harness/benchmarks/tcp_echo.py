"""`tcp-echo`: how fast, at what CPU and in how much memory one thread echoes bytes over TCP."""

from .. import report
from ..comparison import Case, Comparison
from ..load import growth_while_idle
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, libuv_peer, rig_tool, swift_product

NAME = "tcp-echo"
LIMIT = "C limit (epoll)"
CASES = [
    Case("a", "ping-pong, 200 connections, 64 B", ["-c", "200", "-s", "64"]),
    Case("b", "16 in flight, 50 connections, 64 B", ["-c", "50", "-s", "64", "-d", "16"]),
]
IDLE = "idle"
# The growth between two numbers of connections: what the first ones and the tables cost is not in it.
IDLE_CONNECTIONS = (5_000, 19_000)
IDLE_CLIENTS = 4


class TCPEcho:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.tcpload = rig_tool("tcpload")
        ours = swift_product(BENCHMARKS, "tcp-echo")
        command = [str(ours), "--host", "127.0.0.1", "--port", "{port}", "--loops", "1"]
        epoll, io_uring = [*command, "--driver", "epoll"], [*command, "--driver", "ioUring"]
        self.servers = [
            Server("tcp-echo, handlers", [*epoll, "--style", "handler"]),
            Server("tcp-echo, handlers, io_uring", [*io_uring, "--style", "handler"]),
            Server("tcp-echo, tasks", [*epoll, "--style", "async"]),
            Server(LIMIT, [str(rig_tool("tcplimit")), "{port}"]),
        ]
        if not self.plan.is_quick:
            nio = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-tcp-echo")
            self.servers += [
                Server("libuv", [str(libuv_peer("uv-tcp-echo")), "{port}"]),
                Server("SwiftNIO", [str(nio), "--port", "{port}"]),
            ]

    def run(self) -> str:
        raise_file_limit()
        comparison = Comparison(NAME, self.plan, self.tcpload, self.servers, LIMIT, counts_system_calls=True)
        parts = [comparison.heading()]
        parts += [comparison.throughput(case) for case in CASES if self.plan.includes(case.letter)]
        if self.plan.includes(IDLE):
            parts.append(self.idle_memory())
        return "\n\n".join(parts)

    def idle_memory(self) -> str:
        """Each server once: a slope over 14,000 connections hardly varies."""
        few, many = IDLE_CONNECTIONS
        rows = []
        for server in self.servers:
            arguments = ["-S", str(IDLE_CLIENTS), "-e"]
            with Running(server) as running:
                each = growth_while_idle(self.tcpload, running, IDLE_CONNECTIONS, IDLE_CLIENTS, arguments)
            print(f"idle {server.name:20} {each:8.1f} bytes per connection", flush=True)
            rows.append([server.name, f"{each:.1f}"])
        return (
            f"### idle: from {few:,} to {many:,} connections without traffic\n\n"
            f"Growth of `Anonymous` in `smaps_rollup` per connection; {IDLE_CLIENTS} client processes and as many "
            "source addresses, each connection echoed one byte before.\n\n"
            + report.table(["server", "bytes per connection"], rows)
        )
