"""`codec`: the inner loops of WSFrame beside plain C, the standard library and two peers, on one core."""

from pathlib import Path

from .. import report
from ..plan import Plan
from ..server import pinned_client
from ..tools import BENCHMARKS, go_program, python_with, rig_tool, run, swift_product

NAME = "codec"
METHOD = """`codec --milliseconds {each}` in {rounds} rounds on core 1: medians, and how far the rounds lie apart. Rates \
are per second of processor time. Unmasking is in place, over payloads one after another; frames are masked ones of a \
client; a message is a whole frame, unmasked where it lies. *C, AVX2* (`Rig/codeclimit.c`) is the least that C does for \
the same, with 256-bit vectors and compiled for the machine it runs on: what rates this one allows. The peers run the \
same loops in processes of their own: gorilla/websocket as Debian has it, read from memory, whose unmasking is called \
where it is, with Go's `utf8.Valid`; and wsproto {wsproto}, with Python's `bytes.decode`. gorilla copies a message out, \
wsproto makes an object of it."""
WSPROTO = "1.2.0"


class Codec:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.programs = [[str(swift_product(BENCHMARKS, "codec"))]]
        # Written for these vectors alone.
        if "avx2" in Path("/proc/cpuinfo").read_text():
            self.programs.append([str(rig_tool("codeclimit", ()))])
        if not self.plan.is_quick:
            self.programs += [self.gorilla(), self.wsproto()]

    def gorilla(self) -> list[str]:
        packages = {"github.com/gorilla/websocket": "golang-github-gorilla-websocket-dev"}
        return [str(go_program("gorilla-codec", "Gorilla", packages))]

    def wsproto(self) -> list[str]:
        python = python_with(f"wsproto=={WSPROTO}")
        return [str(python), "-B", str(BENCHMARKS / "Peers" / "wsproto" / "codec.py")]

    def run(self) -> str:
        each = 40 if self.plan.is_quick else 200
        rounds = [self.round(each) for _ in range(self.plan.rounds)]
        heading = f"## {NAME}{' (quick)' if self.plan.is_quick else ''}\n\n{report.machine()}\n\n"
        parts = [heading + METHOD.format(each=each, rounds=len(rounds), wsproto=WSPROTO)]
        operations = dict.fromkeys(key[0] for key in rounds[0])
        parts += [self.table(operation, rounds) for operation in operations]
        return "\n\n".join(parts)

    def round(self, each: int) -> dict[tuple[str, str, int], tuple[float, str]]:
        """One figure and its unit by operation, name and size."""
        figures = {}
        for program in self.programs:
            printed = run(pinned_client([*program, "--milliseconds", str(each)]), BENCHMARKS)
            for line in printed.splitlines():
                operation, name, size, figure, unit = line.split("\t")
                figures[operation, name, int(size)] = float(figure), unit
        return figures

    def table(self, operation: str, rounds: list[dict]) -> str:
        keys = [key for key in rounds[0] if key[0] == operation]
        names = list(dict.fromkeys(name for _, name, _ in keys))
        sizes = list(dict.fromkeys(size for _, _, size in keys))
        unit = rounds[0][keys[0]][1]
        rows = []
        for size in sizes:
            cells = [[figures[operation, name, size][0] for figures in rounds] for name in names]
            rows.append([f"{size:,}"] + [shown(values) for values in cells])
            print(f"{operation} {size}: " + ", ".join(f"{n} {c}" for n, c in zip(names, rows[-1][1:])), flush=True)
        return f"### {operation}, {unit}\n\n" + report.table(["bytes", *names], rows)


def shown(values: list[float]) -> str:
    middle = sorted(values)[len(values) // 2]
    spread = (max(values) - min(values)) / middle * 50 if middle else 0
    return f"{middle:.3g} ±{spread:.0f}%" if middle < 100 else f"{middle:.0f} ±{spread:.0f}%"
