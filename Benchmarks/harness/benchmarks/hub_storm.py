"""`hub-storm`: everybody comes back at once after the server was killed."""

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .. import report
from ..fleet import Crew, Fleet, Latencies, values
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import ROOT, rig_tool, swift_product

NAME = "hub-storm"
CASE = "storm"
PROCESSES = 10
INTERVAL_MS = 500
HANDSHAKES_MAX = 8_192
METHOD = """{count:,} clients in {processes} processes on core 1 are in {rooms} rooms of chat-server, which keeps them in SQLite, \
on core 0. One in each room says something every {interval} ms. The server is killed (SIGKILL) amid that and started again; \
then all clients connect at once, say their resume tokens and how far they know their room, and the speakers go on, again \
with what was not answered. A client is back when it has been told that its room goes on, and has a new token. In the end \
every client has to know its room to the last word that was answered for, with no gap, none twice under two offsets, each in \
its order, and `recovered` said to all. {rounds} rounds, each with a new store: medians, ± half of the distance between the \
lowest and the highest."""


@dataclass(frozen=True)
class Round:
    upgraded: Latencies
    resumed: Latencies
    last_seconds: float
    handshakes_peak: int
    cpu_seconds: float
    retries: int
    said: int


class HubStorm:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.each, self.rooms = (200, 20) if plan.is_quick else (1_000, 100)

    def build(self) -> None:
        self.chatstorm = rig_tool("chatstorm", ())
        self.program = swift_product(ROOT, "chat-server")

    def run(self) -> str:
        if not self.plan.includes(CASE):
            return ""
        raise_file_limit()
        rounds = []
        for _ in range(self.plan.rounds):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(self.round(Path(folder)))
            last = rounds[-1]
            print(
                f"storm  all back in {last.last_seconds:.2f} s, half in {last.resumed.quantile(0.5) / 1e9:.2f} s; "
                f"{last.handshakes_peak} handshakes at most, {last.retries} tried again, {last.said} words",
                flush=True,
            )
        return "\n\n".join([self.heading(), self.table(rounds)])

    def heading(self) -> str:
        method = METHOD.format(
            count=PROCESSES * self.each, processes=PROCESSES, rooms=self.rooms, interval=INTERVAL_MS,
            rounds=self.plan.rounds,
        )
        quick = self.plan.is_quick
        return (
            f"## {NAME}{' (quick)' if quick else ''}\n\n{report.machine()}\n\n{method}\n\n"
            f"Run again with `Benchmarks/run {'--quick ' if quick else ''}--only {NAME}`."
        )

    def table(self, rounds: list[Round]) -> str:
        def seconds(values: list[float]) -> str:
            middle, spread = median(values), max(values) - min(values)
            return f"{middle:.2f} s ±{spread / 2 / middle * 100:.0f}%"

        rows = [
            ["upgraded, half of them", seconds([each.upgraded.quantile(0.5) / 1e9 for each in rounds])],
            ["upgraded, 99 of 100", seconds([each.upgraded.quantile(0.99) / 1e9 for each in rounds])],
            ["back, half of them", seconds([each.resumed.quantile(0.5) / 1e9 for each in rounds])],
            ["back, 99 of 100", seconds([each.resumed.quantile(0.99) / 1e9 for each in rounds])],
            ["back, all", seconds([each.last_seconds for each in rounds])],
            ["server CPU until all were back", seconds([each.cpu_seconds for each in rounds])],
            [
                "connections on their way to a session at a time, at most",
                f"{max(each.handshakes_peak for each in rounds):,} (bound: {HANDSHAKES_MAX:,})",
            ],
            ["tries that failed", f"{median(each.retries for each in rounds):,.0f}"],
            ["lost, out of order, or not recovered", "0"],
        ]
        return report.table(["", "after all began to connect"], rows)

    # MARK: one round

    def round(self, folder: Path) -> Round:
        log = folder / "log"
        command = [str(self.program), "--port", "{port}", "--loops", "1", "--store", str(folder / "chat.sqlite")]
        server = Server("chat-server", command)
        first = Running(server, log=log)
        arguments = ["-p", str(first.port), "-c", str(self.each), "-R", str(self.rooms), "-i", str(INTERVAL_MS)]
        arguments += ["-S", "4"]
        fleet = Fleet(self.chatstorm, [[*arguments, "-f", str(n * self.each)] for n in range(PROCESSES)])
        with first:
            with fleet as crews:
                tell(crews, "talk")
                time.sleep(3)
                first.kill()
                time.sleep(0.5)
                with Running(server, port=first.port, log=log) as second:
                    begun = second.cpu_seconds()
                    tell(crews, "go")
                    backs = [self.back(crew) for crew in crews]
                    used = second.cpu_seconds() - begun
                    time.sleep(3)
                    tell(crews, "hush")
                    stands = self.check(crews)
                    # They leave before the server does, which then has nobody to wait for.
                    fleet.__exit__()
                    fleet.crews = []
        peaks = re.findall(r"handshakesPeak=(\d+)", log.read_text())
        if not peaks:
            raise RuntimeError(f"chat-server told no peak of handshakes: {log.read_text()[-500:]}")
        return Round(
            Latencies(back["upgraded"] for back in backs),
            Latencies(back["resumed"] for back in backs),
            max(int(back["max"]) for back in backs) / 1e9,
            int(peaks[-1]),
            used,
            sum(int(stand["refused"]) + int(stand["unreached"]) for stand in stands),
            sum(int(stand["said"]) for stand in stands),
        )

    def back(self, crew: Crew) -> dict[str, str]:
        line = crew.answer(120)
        if not line.startswith("BACK"):
            raise RuntimeError(f"chatstorm said {line[:200]!r}")
        return values(line)

    def check(self, crews: list[Crew]) -> list[dict[str, str]]:
        """Everybody knows to the end what was said, and nothing went wrong on the way."""
        deadline = time.monotonic() + 30
        while True:
            time.sleep(0.5)
            stands = [crew.ask("stand") for crew in crews]
            behind = self.behind(stands)
            if not behind:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"after 30 s: {behind}")
        for stand in stands:
            wrong = {
                name: stand[name]
                for name in ("lost", "early", "unrecovered", "disbelieved", "failures", "cut")
                if int(stand[name])
            }
            if wrong or int(stand["inside"]) != self.each:
                raise RuntimeError(f"{stand['inside']} of {self.each} inside, {wrong}")
        return stands

    def behind(self, stands: list[dict[str, str]]) -> str:
        """A room that somebody does not know to its last word; "" for none."""
        rooms = [entry.split(":") for stand in stands for entry in stand["rooms"].split(",") if entry]
        ends = {room: int(said) for room, _, said in rooms if int(said) >= 0}
        if len(ends) != self.rooms:
            return f"{len(ends)} of {self.rooms} rooms have a speaker"
        for room, known, _ in rooms:
            if int(known) != ends[room]:
                return f"room {room} is known to {known}, and {ends[room]} was answered for"
        return ""


def tell(crews: list[Crew], line: str) -> None:
    for crew in crews:
        crew.tell(line)
