"""`conn-pool`: what a lease costs, alone and where 64 tasks share 8 connections."""

import shutil
from statistics import median

from .. import report
from ..plan import Plan
from ..tools import BENCHMARKS, Missing, run, swift_product

NAME = "conn-pool"
GO = BENCHMARKS / "Peers" / "GoSQLPool"
METHOD = """Connections that do nothing, so that only the pool costs. The actor and the mutex with a queue are ours, \
written for comparison: no limits, deadlines, cancellation or health. Go's pool has a driver that does nothing and is \
asked by `DB.Conn` and `Conn.Close`. Medians of {rounds} rounds, each a process of its own on all cores, and how far \
the rounds lie apart. That a lease allocates nothing is tested in `Tests/ConnPoolTests`."""


class ConnPool:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.programs = [swift_product(BENCHMARKS, "pool")]
        if self.plan.is_quick:
            return
        if shutil.which("go") is None:
            raise Missing("the peer needs Go: apt-get install golang-go")
        go_pool = BENCHMARKS / ".build" / "go-sql-pool"
        run(["go", "build", "-o", str(go_pool), "."], GO)
        self.programs.append(go_pool)

    def run(self) -> str:
        count = 2_000 if self.plan.is_quick else 5_000
        alone: dict[str, list[float]] = {}
        shared: dict[str, list[dict[str, float]]] = {}
        for _ in range(self.plan.rounds):
            for program in self.programs:
                for line in run([str(program), str(count)], BENCHMARKS).splitlines():
                    print(line, flush=True)
                    fields = dict(field.split("=", 1) for field in line.split("\t"))
                    case, subject = fields.pop("case"), fields.pop("subject")
                    figures = {name: float(value) for name, value in fields.items()}
                    if case == "alone":
                        alone.setdefault(subject, []).append(figures["ns"])
                    else:
                        shared.setdefault(subject, []).append(figures)
        quick = " (quick)" if self.plan.is_quick else ""
        return "\n\n".join(
            [
                f"## {NAME}{quick}\n\n{report.machine()}",
                METHOD.format(rounds=self.plan.rounds),
                "### lease and return, nobody else there\n\n"
                + report.table(
                    ["pool", "ns"], [[name, report.figure(values)] for name, values in alone.items()]
                ),
                "### 64 tasks share 8 connections\n\nEach task leases, lets another task run, and returns, "
                f"{count:,} times. Waits in microseconds. How fair a pool is shows in the 99th percentile and the worst wait over "
                "the median one; a worst wait of a multiple of 4 ms is a thread that the kernel took from its core.\n\n"
                + report.table(
                    ["pool", "leases/s", "median wait", "p99", "worst", "p99 over median", "worst over median"],
                    [self.row(name, rounds) for name, rounds in shared.items()],
                ),
            ]
        )

    @staticmethod
    def row(name: str, rounds: list[dict[str, float]]) -> list[str]:
        waits = [
            report.shown(median(each[key] for each in rounds), "us") for key in ("median_us", "p99_us", "worst_us")
        ]
        unfairness = [
            median(each[key] / max(each["median_us"], 0.1) for each in rounds) for key in ("p99_us", "worst_us")
        ]
        return [
            name,
            report.figure([each["rate"] for each in rounds]),
            *waits,
            f"{unfairness[0]:.1f}",
            f"{unfairness[1]:.0f}",
        ]
