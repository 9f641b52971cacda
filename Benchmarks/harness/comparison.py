"""Several servers under the same load: interleaved rounds, one table."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from . import report
from .load import Window, measure, system_calls_per_message
from .plan import Plan
from .server import Running, Server
from .steal import METHOD, undisturbed


@dataclass(frozen=True)
class Case:
    letter: str
    title: str
    arguments: list[str]  # of wsload
    unit: str = "message"


class Comparison:
    """The first server is ours; `limit` names the one whose rate is the ceiling."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        wsload: Path,
        servers: list[Server],
        limit: str,
        counts_system_calls: bool = False,
    ):
        self.name = name
        self.plan = plan
        self.wsload = wsload
        self.servers = servers
        self.limit = limit
        self.counts_system_calls = counts_system_calls

    def heading(self) -> str:
        return f"## {self.name}{' (quick)' if self.plan.is_quick else ''}\n\n{report.machine()}\n\n{self.method()}"

    def method(self) -> str:
        commands = "\n".join(f"- {server.name}: `{server.shown_command()}`" for server in self.servers)
        return (
            f"Server on core 0, client on core 1, {self.plan.rounds} interleaved rounds with a fresh server each, "
            f"{self.plan.warmup_seconds:g} s of warm-up, windows of {self.plan.seconds:g} s. Every figure is the "
            "median of the rounds; ± is half of the distance between the lowest and the highest. What part of the limit "
            f"was reached is taken round by round, so that the machine's drift is in both. {METHOD}\n\n"
            f"{commands}\n\n"
            f"Run again with `Benchmarks/run {'--quick ' if self.plan.is_quick else ''}--only {self.name}`."
        )

    def throughput(self, case: Case) -> str:
        windows: dict[str, list[Window]] = {server.name: [] for server in self.servers}
        for turn in range(self.plan.rounds):
            # There and back again, so that none always runs behind the same one.
            for server in self.servers if turn % 2 == 0 else reversed(self.servers):
                with Running(server) as running:
                    window = undisturbed(lambda: measure(self.wsload, running, case.arguments, self.plan))
                windows[server.name].append(window)
                print(
                    f"{case.letter:4} {server.name:20} {window.rate:12,.0f}/s  p99 {window.p99_us:9.1f} us"
                    f"  server {window.server_ns:8.0f} ns per {case.unit}",
                    flush=True,
                )
        limits = [window.rate for window in windows[self.limit]]
        rows = [self._row(name, measured, limits) for name, measured in windows.items()]
        calls = self._system_calls(case) if self.counts_system_calls else {}
        for row in rows:
            row += [calls[row[0]]] if calls else []
        columns = [_plural(case.unit) + "/s", "of the limit", "p50 µs", "p99 µs", "p99.9 µs"]
        columns += [f"server CPU ns/{case.unit}", "server CPU", "client CPU"]
        columns += [f"system calls/{case.unit}"] if calls else []
        heading = f"### {case.letter}: {case.title}\n\n`{self.wsload.name} {' '.join(case.arguments)}`"
        return heading + "\n\n" + report.table(["server", *columns], rows)

    def _system_calls(self, case: Case) -> dict[str, str]:
        """By server, counted in a short run of its own, so that the counting slows no figure."""
        calls = {}
        for server in self.servers:
            with Running(server) as running:
                each = system_calls_per_message(self.wsload, running, case.arguments)
            calls[server.name] = "–" if each is None else f"{each:.3f}"
            print(f"{case.letter:4} {server.name:20} {calls[server.name]} system calls per {case.unit}", flush=True)
        return calls

    def _row(self, name: str, measured: list[Window], limits: list[float]) -> list[str]:
        rates = [window.rate for window in measured]
        return [
            name,
            report.figure(rates),
            report.ratio(rates, limits),
            report.shown(median(window.p50_us for window in measured), "us"),
            report.shown(median(window.p99_us for window in measured), "us"),
            report.shown(median(window.p999_us for window in measured), "us"),
            report.figure([window.server_ns for window in measured]),
            f"{median(window.server_cpu_percent for window in measured):.0f}%",
            f"{median(window.client_cpu_percent for window in measured):.0f}%",
        ]


def _plural(unit: str) -> str:
    return unit[:-1] + "ies" if unit.endswith("y") else unit + "s"
