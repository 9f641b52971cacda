"""What the figures are meant to be, beside what they are: a section of RESULTS.md made from the others' tables."""

import re
from dataclasses import dataclass

from . import report
from .tools import BENCHMARKS

NAME = "aims"
INTRODUCTION = """## Aims

What each figure is meant to be, as the tables below say it. Where an aim is a rate and not a share, the last column \
has what plain C reaches here for the same, or the nearest peer: the aims were set on another machine, on which they \
reached what stands in brackets."""


@dataclass(frozen=True)
class Cell:
    """One figure of RESULTS.md; `heading` is what its table's heading begins with, `row` the row's first cells."""

    section: str
    heading: str
    row: str
    column: str


@dataclass(frozen=True)
class Aim:
    what: str
    cell: Cell
    bound: float
    unit: str = ""
    is_ceiling: bool = False
    over: Cell | None = None  # the figure is a multiple of this one
    scale: Cell | None = None
    there: str = ""  # what `scale` was on the machine of the aim


def websocket(case: str, row: str, column: str) -> Cell:
    return Cell("websocket-echo", f"{case}:", row, column)


def tcp(case: str, row: str, column: str) -> Cell:
    return Cell("tcp-echo", f"{case}:", row, column)


def rpc(in_flight: int, row: str, column: str) -> Cell:
    return Cell("rpc", f"{in_flight} in flight", row, column)


def codec(operation: str, size: str, column: str) -> Cell:
    return Cell("codec", operation, size, column)


def hub(case: str, column: str) -> Cell:
    return Cell("hub", f"{case}:", "hub-fanout", column)


def codec_rates(what: str, operation: str, column: str, bound: float, scale: str, there: str) -> list[Aim]:
    """Of what the codec does with 1 KiB, 16 KiB and 1 MiB."""
    return [
        Aim(
            what.format(size),
            codec(operation, size, column),
            bound,
            "GB/s",
            scale=codec(operation, size, scale),
            there=there,
        )
        for size in ("1,024", "16,384", "1,048,576")
    ]


RATE, SHARE = "messages/s", "of the limit"
LIMIT, GO = "C, one write a burst", "Go net/rpc"
AIMS = [
    *(
        Aim(f"WebSocket echo {case}, of the C limit", websocket(case, "ws-echo", SHARE), bound)
        for case, bound in (("a", 0.95), ("b", 0.95), ("c", 0.97), ("d", 0.45))
    ),
    *(
        Aim(
            f"WebSocket echo {case}, times SwiftNIO",
            websocket(case, "ws-echo", RATE),
            bound,
            over=websocket(case, "SwiftNIO", RATE),
            scale=websocket(case, "C limit (epoll)", RATE),
        )
        for case, bound in (("a", 1.6), ("b", 5), ("c", 4), ("d", 20))
    ),
    Aim(
        "connect and upgrade, server CPU over the C limit's",
        websocket("e", "ws-echo", "server CPU ns/connection"),
        1.1,
        is_ceiling=True,
        over=websocket("e", "C limit (epoll)", "server CPU ns/connection"),
    ),
    Aim("idle WebSocket", websocket("idle", "ws-echo", "bytes per connection"), 200, "B", True),
    *(
        Aim(f"TCP echo {case}, of the C limit", tcp(case, "tcp-echo, handlers", SHARE), 0.95) for case in ("a", "b")
    ),
    *(
        Aim(
            f"TCP echo {case}, times SwiftNIO",
            tcp(case, "tcp-echo, handlers", RATE),
            1.35,
            over=tcp(case, "SwiftNIO", RATE),
            scale=tcp(case, "C limit (epoll)", RATE),
        )
        for case in ("a", "b")
    ),
    *(
        Aim(
            f"TCP echo {case}, tasks over handlers",
            tcp(case, "tcp-echo, tasks", RATE),
            bound,
            over=tcp(case, "tcp-echo, handlers", RATE),
        )
        for case, bound in (("a", 0.85), ("b", 0.9))
    ),
    Aim("idle TCP connection", tcp("idle", "tcp-echo, handlers", "bytes per connection"), 100, "B", True),
    *codec_rates("unmask {} B", "unmask", "WSFrame", 60, scale="C, AVX2", there="92–99"),
    *codec_rates("validate {} B of ASCII", "validate ASCII", "WSFrame", 50, scale="UTF8Span", there="58–67"),
    *codec_rates("validate {} B of CJK", "validate CJK", "WSFrame", 15, scale="C, AVX2", there="20"),
    *(
        Aim(
            f"frames of {size} B decoded",
            codec("decode frames", size, "FrameDecoder"),
            100,
            "M/s",
            scale=codec("decode frames", size, "C, AVX2"),
        )
        for size in ("0", "125", "126", "65,536")
    ),
    Aim("longest turn of a mass close", Cell("mass-close", "", "epoll", "longest turn ms, median"), 50, "ms", True),
    *(
        Aim(
            f"calls, {in_flight} in flight, handlers {where}",
            rpc(in_flight, f"rpc-bench, handlers {where}", "calls/s"),
            bound,
            scale=rpc(in_flight, GO, "calls/s"),
            there=there,
        )
        for in_flight, where, bound, there in (
            (64, "on the pool", 400_000, "133k"),
            (64, "on the loop", 600_000, "133k"),
            (256, "on the loop", 700_000, "137k"),
            (256, "inline", 700_000, "137k"),
        )
    ),
    Aim(
        "p99 of 64 in flight on the pool",
        rpc(64, "rpc-bench, handlers on the pool", "p99 µs"),
        300,
        "µs",
        True,
        scale=rpc(64, GO, "p99 µs"),
    ),
    *(
        Aim(
            what,
            rpc(1, f"rpc-bench, handlers on the loop{which}", "p50 µs"),
            1.2,
            is_ceiling=True,
            over=rpc(1, LIMIT, "p50 µs"),
        )
        for what, which in (
            ("p50 of 1 in flight on the loop, over the C limit's", ""),
            ("the same, with loops that poll for 200 µs before they sleep", ", loops that poll"),
        )
    ),
    Aim("hub f1, of the C loop", hub("f1", SHARE), 0.95),
    Aim("hub f16, times the C loop", hub("f16", SHARE), 13),
    Aim("idle hub session", Cell("hub", "idle:", "hub-fanout", "bytes per session"), 600, "B", True),
    Aim("idle hub session, CPU a second", Cell("hub", "cpu:", "hub-fanout", "CPU µs per second and session"), 2, "µs", True),
]


def write() -> None:
    results = (BENCHMARKS / "RESULTS.md").read_text()
    tables = {
        name: list(_tables(body))
        for name, body in re.findall(r"<!-- begin (\S+) -->\n(.*?)<!-- end \1 -->", results, re.DOTALL)
    }
    rows = [_row(aim, tables) for aim in AIMS]
    columns = ["what", "aim", "here", "met", "C or a peer here (there)"]
    report.write(NAME, INTRODUCTION + "\n\n" + report.table(columns, [row for row in rows if row]), is_first=True)


def _row(aim: Aim, tables: dict) -> list[str] | None:
    found = _figure(aim.cell, tables)
    if found is None:
        return None
    value = number(found)
    if aim.over:
        below = _figure(aim.over, tables)
        if below is None:
            return None
        value /= number(below)
        found = f"{value:.2f}"
    is_met = value <= aim.bound if aim.is_ceiling else value >= aim.bound
    scale = _figure(aim.scale, tables) if aim.scale else None
    if scale and aim.over:
        scale = f"the C limit: {number(scale) / number(_figure(aim.over, tables)):.2f}"
    elif scale:
        scale = f"{aim.scale.column if aim.scale.section == 'codec' else aim.scale.row}: {scale}"
    bound = report.shown(aim.bound) if aim.bound >= 1_000 else f"{aim.bound:g}"
    return [
        aim.what,
        f"{'at most' if aim.is_ceiling else 'at least'} {bound} {aim.unit}".strip(),
        found,
        "yes" if is_met else "no",
        (scale or "") + (f" ({aim.there})" if aim.there and scale else ""),
    ]


def _figure(cell: Cell, tables: dict) -> str | None:
    for heading, columns, rows in tables.get(cell.section, []):
        if heading.startswith(cell.heading) and cell.column in columns:
            for row in rows:
                if row[0] == cell.row:
                    return row[columns.index(cell.column)]
    return None


def _tables(body: str):
    """Each table's heading, columns and rows."""
    heading, columns, rows = "", None, []
    for line in [*body.splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if columns is None:
                columns = cells
            elif not line.startswith("|---"):
                rows.append(cells)
        elif columns is not None:
            yield heading, columns, rows
            columns, rows = None, []


def number(figure: str) -> float:
    """The number in a cell, without its spread."""
    digits, unit = re.match(r"([0-9.,]+)([kM]?)", figure).groups()
    return float(digits.replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6}[unit]
