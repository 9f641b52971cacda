"""`timers`: what arming, re-arming and cancelling a timer costs, by how many are armed."""

import re
import subprocess
from statistics import median

from .. import report
from ..plan import Plan
from ..server import SERVER_CORE
from ..tools import BENCHMARKS, swift_product

NAME = "timers"
OPERATIONS = ["arm", "rearm", "cancel"]


class Timers:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.timers = swift_product(BENCHMARKS, "timers")

    def run(self) -> str:
        measured: dict[int, dict[str, list[float]]] = {}
        for _ in range(self.plan.rounds):
            done = subprocess.run(
                ["taskset", "-c", str(SERVER_CORE), str(self.timers)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
            for line in done.stdout.splitlines():
                print(line, flush=True)
                figures = dict(re.findall(r"(\w+)=([0-9.]+)", line))
                each = measured.setdefault(int(figures["timers"]), {name: [] for name in OPERATIONS})
                for name in OPERATIONS:
                    each[name].append(float(figures[f"{name}_ns"]))
        rows = [
            [f"{count:,}", *(f"{median(each[name]):.1f}" for name in OPERATIONS)]
            for count, each in sorted(measured.items())
        ]
        quick = " (quick)" if self.plan.is_quick else ""
        return (
            f"## {NAME}{quick}\n\n{report.machine()}\n\nOne loop's timers, due in one to three hours; nanoseconds "
            f"each, median of {self.plan.rounds} runs on core 0.\n\n"
            + report.table(["armed", "arm", "re-arm", "cancel"], rows)
        )
