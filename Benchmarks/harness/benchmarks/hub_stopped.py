"""`hub-stopped`: what clients whose processes are stopped do to the others."""

import signal
import time
from dataclasses import dataclass
from statistics import median

from .. import report
from ..fleet import Crew, Fleet, Latencies
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, rig_tool, swift_product

NAME = "hub-stopped"
CASE = "stopped"
PROCESSES = 10  # one of which is stopped
RATE = 10
BYTES = 1_024
FRAME_BYTES = BYTES + 4
# As on an Ethernet: the segments of loopback make the kernel keep megabytes for each client that does not read.
SEGMENT_BYTES = 1_448
RECEIVE_BUFFER_BYTES = 16 << 10
# The server's buffer grows with what was acknowledged (three times the congestion window with bbr): that of a client
# which has just come, and takes little, is full after some 80 KiB.
STOPPED_RECEIVE_BUFFER_BYTES = 4 << 10
KERNEL_SHARE_MAX = 0.9
METHOD = """{count:,} clients in {processes} processes on core 1 are on one topic of `hub-fanout` on core 0; a client more \
publishes {rate} messages of {bytes:,} bytes a second: {deliveries:,} deliveries a second. A message begins with the time \
at which it is sent; its age when a client has read it is the latency, of the {listening:,} clients of nine processes. \
After {window:g} s the tenth process comes anew and is stopped at once (SIGSTOP), and {settle:g} s later the same nine are \
measured again. Then it goes on (SIGCONT): every client has to get every message. Segments are those of an Ethernet \
({segment:,} bytes), receive buffers small ({buffer} KiB, {stopped} KiB in the process that is stopped), so that the kernel \
keeps little for who does not read and the hub has to. {rounds} rounds with a fresh server each: medians, ± half of the \
distance between the lowest and the highest."""


@dataclass(frozen=True)
class Phase:
    latencies: Latencies
    seconds: float
    cpu_percent: float
    resident_bytes: int


@dataclass(frozen=True)
class Round:
    before: Phase
    stopped: Phase
    owed_bytes: int  # to the stopped clients, when the second phase ended
    kernel_bytes: int  # of these in the kernel's buffers

    @property
    def ratio(self) -> float:
        return self.stopped.latencies.quantile(0.99) / self.before.latencies.quantile(0.99)


class HubStopped:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.each, self.window, self.settle = (200, 4.0, 10.0) if plan.is_quick else (1_000, 10.0, 12.0)

    def build(self) -> None:
        self.hubload = rig_tool("hubload", ())
        hub = swift_product(BENCHMARKS, "hub-fanout")
        self.server = Server("hub-fanout", [str(hub), "--port", "{port}"])

    def run(self) -> str:
        if not self.plan.includes(CASE):
            return ""
        raise_file_limit()
        rounds = []
        for _ in range(self.plan.rounds):
            rounds.append(self.round())
            last = rounds[-1]
            print(
                f"stopped  p99 {last.before.latencies.quantile(0.99) / 1e6:.1f} ms, with stopped "
                f"{last.stopped.latencies.quantile(0.99) / 1e6:.1f} ms; memory {last.before.resident_bytes / 2**20:.1f} "
                f"MiB, {last.stopped.resident_bytes / 2**20:.1f} MiB; {last.owed_bytes / 2**20:.1f} MiB owed, "
                f"{last.kernel_bytes / 2**20:.1f} MiB of it in the kernel",
                flush=True,
            )
        return "\n\n".join([self.heading(), self.table(rounds)])

    def heading(self) -> str:
        count = PROCESSES * self.each
        method = METHOD.format(
            count=count, processes=PROCESSES, rate=RATE, bytes=BYTES, deliveries=count * RATE,
            listening=count - self.each, window=self.window, settle=self.settle, segment=SEGMENT_BYTES,
            buffer=RECEIVE_BUFFER_BYTES >> 10, stopped=STOPPED_RECEIVE_BUFFER_BYTES >> 10, rounds=self.plan.rounds,
        )
        quick = self.plan.is_quick
        return (
            f"## {NAME}{' (quick)' if quick else ''}\n\n{report.machine()}\n\n{method}\n\n"
            f"Run again with `Benchmarks/run {'--quick ' if quick else ''}--only {NAME}`."
        )

    def table(self, rounds: list[Round]) -> str:
        def row(name: str, phases: list[Phase]) -> list[str]:
            quantiles = [
                report.figure([phase.latencies.quantile(share) / 1e6 for phase in phases], "us")
                for share in (0.5, 0.99, 0.999)
            ]
            rate = report.figure([phase.latencies.count / phase.seconds for phase in phases])
            memory = median(phase.resident_bytes for phase in phases) / 2**20
            cpu = median(phase.cpu_percent for phase in phases)
            return [name, rate, *quantiles, f"{cpu:.0f}%", f"{memory:.1f} MiB"]

        columns = ["", "deliveries/s", "p50 ms", "p99 ms", "p99.9 ms", "server CPU", "server's memory"]
        rows = [
            row("all read", [each.before for each in rounds]),
            row("a tenth stopped", [each.stopped for each in rounds]),
        ]
        ratios = sorted(each.ratio for each in rounds)
        owed = median(each.owed_bytes for each in rounds) / 2**20
        kernel = median(each.kernel_bytes for each in rounds) / 2**20
        return (
            report.table(columns, rows)
            + f"\n\np99 with a tenth stopped, over that without: {median(ratios):.2f} ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}). Deliveries are those to the nine processes. The server's memory is `VmRSS`. At the end "
            f"the stopped clients were owed {owed:.0f} MiB, of which the kernel kept {kernel:.0f} MiB; of the rest the "
            "hub keeps each message once. Nobody missed a message, and none came out of order."
        )

    # MARK: one round

    def round(self) -> Round:
        with Running(self.server) as running:
            shared = ["-p", str(running.port), "-g", str(SEGMENT_BYTES)]
            speaker = [*shared, "-m", "publish", "-r", str(RATE), "-s", str(BYTES)]
            listener = [*shared, "-c", str(self.each), "-S", "4", "-b"]
            reading = [*listener, str(RECEIVE_BUFFER_BYTES)]
            with (
                Fleet(self.hubload, [reading] * (PROCESSES - 1)) as crews,
                Fleet(self.hubload, [speaker]) as (publisher,),
            ):
                publisher.tell("begin")
                with Fleet(self.hubload, [reading]):
                    time.sleep(2)
                    before = self.measure(running, crews)
                with Fleet(self.hubload, [[*listener, str(STOPPED_RECEIVE_BUFFER_BYTES)]]) as (late,):
                    time.sleep(0.3)
                    known = int(publisher.ask("stand")["published"])
                    late.signal(signal.SIGSTOP)
                    time.sleep(self.settle)
                    stopped = self.measure(running, crews)
                    owed = (int(publisher.ask("stand")["published"]) - known) * self.each * FRAME_BYTES
                    kernel = queued_bytes(running.port)
                    if kernel > KERNEL_SHARE_MAX * owed:
                        raise RuntimeError(f"the kernel keeps {kernel} of {owed} bytes: the hub was not put to the test")
                    late.signal(signal.SIGCONT)
                    time.sleep(1)
                    published = int(publisher.ask("end")["published"])
                    self.check([*crews, late], published)
        return Round(before, stopped, owed, kernel)

    def measure(self, running: Running, crews: list[Crew]) -> Phase:
        for crew in crews:
            crew.tell("begin")
        cpu, began = running.cpu_seconds(), time.monotonic()
        time.sleep(self.window)
        answers = [crew.ask("end") for crew in crews]
        seconds = time.monotonic() - began
        used = running.cpu_seconds() - cpu
        latencies = Latencies(answer["latencies"] for answer in answers)
        return Phase(latencies, seconds, used / seconds * 100, running.resident_bytes())

    def check(self, crews: list[Crew], published: int) -> None:
        """Every client has every message since its first, those of the stopped process too."""
        deadline = time.monotonic() + 30
        while True:
            answers = [crew.ask("stand") for crew in crews]
            if all(int(answer["lowest"]) == published for answer in answers):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"of {published} messages somebody got {min(int(a['lowest']) for a in answers)}")
            time.sleep(0.2)
        missing = sum(int(answer["missing"]) for answer in answers)
        if missing:
            raise RuntimeError(f"{missing} messages were skipped")


def queued_bytes(port: int) -> int:
    """What the kernel keeps, of both sides, of the connections to a port of this machine."""
    total = 0
    with open("/proc/net/tcp") as sockets:
        next(sockets)
        for line in sockets:
            fields = line.split()
            local, remote = (int(fields[place].rpartition(":")[2], 16) for place in (1, 2))
            if fields[3] != "01" or port not in (local, remote):
                continue
            sent, _, received = fields[4].partition(":")
            total += int(sent, 16) if local == port else int(received, 16)
    return total
