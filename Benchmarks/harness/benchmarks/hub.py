"""`hub`: what the hub makes of a broadcast to 5,000, and of sessions that are silent, beside others."""

import time

from .. import report
from ..comparison import Case, Comparison
from ..fleet import Fleet
from ..load import growth_while_idle
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, go_program, python_with, rig_tool, swift_product

NAME = "hub"
LIMIT = "C loop (epoll)"
SOCKET_IO = "python-socketio"
CASES = [
    Case("f1", "one message at a time to 5,000", ["-m", "bcast", "-c", "5000", "-s", "64"], "delivery"),
    Case("f16", "16 messages at a time to 5,000", ["-m", "bcast", "-c", "5000", "-s", "64", "-d", "16"], "delivery"),
]
IDLE, CPU = "idle", "cpu"
PROCESSES = 4
HEARTBEAT_SECONDS = 25
SLOW_TO_CONNECT = (500, 2_500)


class Hub:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.wsload, self.hubload = rig_tool("wsload"), rig_tool("hubload", ())
        hub = swift_product(BENCHMARKS, "hub-fanout")
        self.servers = [
            Server("hub-fanout", [str(hub), "--port", "{port}"]),
            Server(LIMIT, [str(rig_tool("climit")), "-p", "{port}"]),
        ]
        self.with_heartbeat = [self.servers[0]]
        if self.plan.is_quick:
            return
        nio = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-echo")
        gorilla = go_program(
            "gorilla-hub", "GorillaHub", {"github.com/gorilla/websocket": "golang-github-gorilla-websocket-dev"}
        )
        python = python_with("python-socketio==5.18.1", "aiohttp==3.14.5")
        self.servers += [
            Server("SwiftNIO", [str(nio), "--port", "{port}"]),
            Server("gorilla/websocket", [str(gorilla), "{port}"]),
            Server(
                SOCKET_IO,
                [str(python), "-B", str(BENCHMARKS / "Peers" / "SocketIO" / "hub.py"), "{port}"],
                load=("-sio", "-P", "/socket.io/?EIO=4&transport=websocket"),
            ),
        ]
        self.with_heartbeat.append(self.servers[-2])

    def run(self) -> str:
        raise_file_limit()
        comparison = Comparison(NAME, self.plan, self.wsload, self.servers, LIMIT)
        parts = [comparison.heading() + "\n\n" + self.method()]
        parts += [comparison.throughput(case) for case in CASES if self.plan.includes(case.letter)]
        if self.plan.includes(IDLE):
            parts.append(self.idle_memory())
        if self.plan.includes(CPU):
            parts.append(self.idle_cpu())
        return "\n\n".join(parts)

    def method(self) -> str:
        text = (
            "Every message a client sends goes to all clients. The C loop sends each message to each by a call of its "
            "own; the others are hubs with a room."
        )
        if not self.plan.is_quick:
            text += (
                " gorilla/websocket's is its own chat example, with messages prepared once; SwiftNIO's shares the "
                "payload; python-socketio's, on aiohttp, gets and sends events of the same 64 characters. uWebSockets "
                "is not to be had as a package here; on another day, on a machine of this kind, it reached 0.90 of the "
                "C loop in f1 and 12.8 times its rate in f16."
            )
        return text

    # MARK: memory

    def idle_memory(self) -> str:
        """Each server once: a slope over so many sessions hardly varies."""
        rows = []
        for server in self.servers:
            few, many = (1_000, 5_000) if self.plan.is_quick else (5_000, 19_000)
            if server.name == SOCKET_IO:
                few, many = SLOW_TO_CONNECT
            # A path of its own, given last, wins.
            arguments = ["-S", str(PROCESSES), "-P", "/b", *server.load]
            with Running(server) as running:
                each = growth_while_idle(self.wsload, running, (few, many), PROCESSES, arguments)
            print(f"idle {server.name:20} {each:8.0f} bytes per session", flush=True)
            rows.append([server.name, f"{few:,} to {many:,}", f"{each:.0f}"])
        return (
            "### idle: silent sessions, each in the one topic\n\n"
            f"Growth of `Anonymous` in `smaps_rollup` per session; {PROCESSES} client processes and as many source "
            "addresses.\n\n" + report.table(["server", "sessions", "bytes per session"], rows)
        )

    # MARK: CPU

    def idle_cpu(self) -> str:
        count, beats = (2_000, 1) if self.plan.is_quick else (10_000, 2)
        rows = []
        for server in self.with_heartbeat:
            each = self._cpu(server, count, beats)
            print(f"cpu {server.name:20} {each:8.2f} us per second and session", flush=True)
            rows.append([server.name, f"{each:.2f}"])
        return (
            f"### cpu: {count:,} silent sessions, a heartbeat every {HEARTBEAT_SECONDS} s\n\n"
            f"Processor time of the server over {beats * HEARTBEAT_SECONDS} s that begin after the first pings; "
            "clients answer each. A naive hub on C or SwiftNIO has no heartbeat.\n\n"
            + report.table(["server", "CPU µs per second and session"], rows)
        )

    def _cpu(self, server: Server, count: int, beats: int) -> float:
        with Running(server) as running:
            arguments = ["-p", str(running.port), "-c", str(count // PROCESSES), "-S", str(PROCESSES)]
            with Fleet(self.hubload, [arguments] * PROCESSES):
                time.sleep(HEARTBEAT_SECONDS + 1)
                before, began = running.cpu_seconds(), time.monotonic()
                time.sleep(beats * HEARTBEAT_SECONDS)
                used, seconds = running.cpu_seconds() - before, time.monotonic() - began
        return used * 1e6 / seconds / count
