"""`mass-close`: how long the loop's longest turn is when very many connections end at once."""

import re
import signal
import subprocess
import time
from statistics import median

from .. import report
from ..load import IdleConnections
from ..plan import Plan
from ..server import SERVER_CORE, free_port, raise_file_limit
from ..tools import BENCHMARKS, rig_tool, swift_product

NAME = "mass-close"
CONNECTIONS = 15_000
CLIENTS = 4


class Bare:
    """What `IdleConnections` needs of a server."""

    def __init__(self, port: int):
        self.port = port


class MassClose:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.tcpload = rig_tool("tcpload")
        self.server = swift_product(BENCHMARKS, "tcp-echo")

    def run(self) -> str:
        raise_file_limit()
        rows = []
        for driver in ["epoll", "ioUring"]:
            rounds = [self._close(driver) for _ in range(self.plan.rounds)]
            turns = [turn / 1_000 for turn, _ in rounds]
            print(f"{driver:8} longest turn {median(turns):.2f} ms, at most {rounds[0][1]} closes", flush=True)
            rows.append([driver, f"{median(turns):.2f}", f"{max(turns):.2f}", str(max(most for _, most in rounds))])
        quick = " (quick)" if self.plan.is_quick else ""
        return (
            f"## {NAME}{quick}\n\n{report.machine()}\n\n{CONNECTIONS:,} connections of one loop that were echoed one "
            f"byte are ended by their {CLIENTS} clients at once; the loop's longest turn from then on, as its observer "
            f"is told it, {self.plan.rounds} runs on core 0, the clients on core 1. The aim is 50 ms.\n\n"
            + report.table(["driver", "longest turn ms, median", "worst run ms", "most closes in a turn"], rows)
        )

    def _close(self, driver: str) -> tuple[float, int]:
        port = free_port()
        command = ["taskset", "-c", str(SERVER_CORE), str(self.server), "--port", str(port), "--driver", driver]
        server = subprocess.Popen(
            [*command, "--loops", "1", "--turns", "reported"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        held = []
        try:
            time.sleep(0.5)
            for _ in range(CLIENTS):
                arguments = ["-S", str(CLIENTS), "-e"]
                idle = IdleConnections(self.tcpload, Bare(port), CONNECTIONS // CLIENTS, arguments)
                held.append(idle.__enter__())
            server.send_signal(signal.SIGHUP)
            time.sleep(0.2)
            for idle in held:
                idle.process.stdin.close()
            for idle in held:
                idle.process.wait(30)
                idle.process.stdout.close()
            held = []
            time.sleep(1)
            server.send_signal(signal.SIGTERM)
            output, _ = server.communicate(timeout=30)
        finally:
            for idle in held:
                idle.__exit__()
            if server.poll() is None:
                server.kill()
                server.wait()
        found = re.search(r"longest_turn_us=(\d+) closes_max=(\d+)", output)
        if found is None:
            raise RuntimeError(f"no longest turn in {output!r}")
        return float(found[1]), int(found[2])
