"""`timers`: what arming, re-arming and cancelling a timer costs, by how many are armed."""

import re
import subprocess
from pathlib import Path
from statistics import median

from .. import report
from ..plan import Plan
from ..server import SERVER_CORE
from ..tools import BENCHMARKS, rig_tool, swift_product

NAME = "timers"
OPERATIONS = ["arm", "rearm", "cancel"]
METHOD = """One loop's timers, due in one to three hours; nanoseconds each, of a million operations a run (SwiftNIO:
20,000), median of {rounds} interleaved runs on core 0. All memory was touched before. Re-armed is for 30 s later, as
an idle timeout is by every message. *Sequential* goes through the timers in the order in which they were made,
*shuffled* in a random one, the same for all.

The work is the same for a thousand timers and for a million: one record of 16 bytes is touched to re-arm, and three
links of 8 bytes beside it to cancel. What grows in shuffled order is the time memory takes: a million timers are 40 MB
(of which records are 16 MB, links 8 MB and targets 16 MB), the identifiers that the benchmark itself holds are 8 MB
more, and no cache near the core holds that. libuv and SwiftNIO keep a heap, whose work grows with the logarithm;
cancelling a scheduled task of SwiftNIO looks through all of them, so that more than 10,000 are not measured."""


class Timers:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.programs: dict[str, Path] = {
            "NetPoll": swift_product(BENCHMARKS, "timers"),
        }
        if not self.plan.is_quick:
            self.programs["libuv"] = rig_tool("uvtimers", ("-luv",))
            self.programs["SwiftNIO"] = swift_product(BENCHMARKS / "Peers" / "SwiftNIO", "nio-timers")

    def run(self) -> str:
        measured: dict[tuple[str, str, int], dict[str, list[float]]] = {}
        for _ in range(self.plan.rounds):
            for name, program in self.programs.items():
                for line in self._output(program).splitlines():
                    print(f"{name:10} {line}", flush=True)
                    figures = dict(re.findall(r"(\w+)=(\S+)", line))
                    key = (figures["order"], name, int(figures["timers"]))
                    each = measured.setdefault(key, {operation: [] for operation in OPERATIONS})
                    for operation in OPERATIONS:
                        each[operation].append(float(figures[f"{operation}_ns"]))
        quick = " (quick)" if self.plan.is_quick else ""
        parts = [f"## {NAME}{quick}", report.machine(), METHOD.format(rounds=self.plan.rounds)]
        for order in ["sequential", "shuffled"]:
            rows = [
                [name, f"{count:,}", *(f"{median(each[operation]):.1f}" for operation in OPERATIONS)]
                for (found, name, count), each in measured.items()
                if found == order
            ]
            rows.sort(key=lambda row: list(self.programs).index(row[0]))
            table = report.table(["timers of", "armed", "arm ns", "re-arm ns", "cancel ns"], rows)
            parts.append(f"### {order}\n\n{table}")
        return "\n\n".join(parts)

    def _output(self, program: Path) -> str:
        done = subprocess.run(
            ["taskset", "-c", str(SERVER_CORE), str(program)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout
