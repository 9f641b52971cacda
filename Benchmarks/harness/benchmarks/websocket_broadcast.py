"""`websocket-broadcast`: what it costs to send one message to 5,000 connections of one thread."""

from ..comparison import Case, Comparison
from ..plan import Plan
from ..server import Server, raise_file_limit
from ..tools import BENCHMARKS, rig_tool, swift_product

NAME = "websocket-broadcast"
LIMIT = "C loop (epoll)"
CASES = [
    Case("f1", "one message at a time to 5,000", ["-m", "bcast", "-c", "5000", "-s", "64"], "delivery"),
    Case("f16", "16 messages at a time to 5,000", ["-m", "bcast", "-c", "5000", "-s", "64", "-d", "16"], "delivery"),
]


class WebSocketBroadcast:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.wsload = rig_tool("wsload")
        ours = swift_product(BENCHMARKS, "ws-broadcast")
        self.servers = [
            Server("ws-broadcast", [str(ours), "--port", "{port}"]),
            Server(LIMIT, [str(rig_tool("climit")), "-p", "{port}"]),
        ]
        if not self.plan.is_quick:
            nio = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-echo")
            self.servers.append(Server("SwiftNIO", [str(nio), "--port", "{port}"]))

    def run(self) -> str:
        raise_file_limit()
        comparison = Comparison(NAME, self.plan, self.wsload, self.servers, LIMIT)
        parts = [comparison.heading()]
        parts += [comparison.throughput(case) for case in CASES if self.plan.includes(case.letter)]
        return "\n\n".join(parts)
