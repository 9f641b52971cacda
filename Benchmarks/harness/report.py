"""RESULTS.md: one section per benchmark, each with the machine and commit it was measured on."""

import math
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from statistics import median

from .plan import Plan
from .tools import BENCHMARKS, ROOT

RESULTS = "Benchmarks/RESULTS.md"

HEADING = """# Results

Written by `Benchmarks/run`; each section says where, when and from which commit its figures come. Compare within a
table only: the same machine drifts between runs.
"""


def write_section(name: str, plan: Plan, body: str) -> None:
    write(f"{name}-quick" if plan.is_quick else name, body)


def write(key: str, body: str, is_first: bool = False) -> None:
    """Puts the section where it was; a new one at the end, or before all others."""
    path = BENCHMARKS / "RESULTS.md"
    text = path.read_text() if path.exists() else HEADING
    begin, end = f"<!-- begin {key} -->", f"<!-- end {key} -->"
    section = f"{begin}\n{body.strip()}\n{end}\n"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end) + r"\n", re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: section, text)
    elif is_first:
        head, mark, rest = text.partition("<!-- begin ")
        text = f"{head}{section}\n{mark}{rest}"
    else:
        text = text.rstrip("\n") + "\n\n" + section
    path.write_text(text)


def figure(values: list[float], style: str = "count") -> str:
    """The median and its spread: how far the rounds lie apart, in percent of the median."""
    middle = median(values)
    spread = (max(values) - min(values)) / middle * 100 if middle else 0
    return f"{shown(middle, style)} ±{spread / 2:.0f}%"


def ratio(values: list[float], limits: list[float]) -> str:
    """What part of the limit was reached, round by round: the machine's drift between the rounds is in both."""
    parts = [value / limit for value, limit in zip(values, limits, strict=True)]
    return f"{median(parts):.2f} ±{(max(parts) - min(parts)) / 2:.2f}"


def shown(value: float, style: str = "count") -> str:
    if math.isnan(value):
        return "–"
    if style == "us":
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    if value >= 10_000_000:
        return f"{value / 1e6:.1f}M"
    if value >= 1_000_000:
        return f"{value / 1e6:.2f}M"
    if value >= 10_000:
        return f"{value / 1e3:.0f}k"
    return f"{value:.0f}"


def table(headings: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machine() -> str:
    facts = [
        ("machine", f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}, TCP congestion control {congestion_control()}"),
        ("system", distribution()),
        ("toolchain", first_line(["swift", "--version"]) + "; " + first_line(["gcc", "--version"])),
        ("commit", commit()),
        ("measured", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return "\n".join(f"- {name}: {fact}" for name, fact in facts)


def first_line(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()


def commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = git("status", "--porcelain", "--", "Sources", "Examples", "Package.swift")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes on top" if changed else "")


def processor() -> str:
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib() -> int:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def congestion_control() -> str:
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as setting:
        return setting.read().strip()


def distribution() -> str:
    with open("/etc/os-release") as release:
        for line in release:
            if line.startswith("PRETTY_NAME="):
                return line.split("=", 1)[1].strip().strip('"')
    return "unknown"
