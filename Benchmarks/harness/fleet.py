"""Client processes of the rig that obey lines, and the latencies they print."""

import math
import os
import re
import select
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .server import pinned_client


class Latencies:
    """Those of several processes, added up; nanoseconds, as exact as the buckets they were counted in (1/64)."""

    def __init__(self, texts: Iterable[str] = ()):
        self.counts: Counter[int] = Counter()
        for text in texts:
            if text == "-":
                continue
            for entry in text.split(","):
                nanoseconds, _, count = entry.partition(":")
                self.counts[int(nanoseconds)] += int(count)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> float:
        """In nanoseconds; not a number where there is nothing."""
        left = share * self.count
        for nanoseconds, count in sorted(self.counts.items()):
            left -= count
            if left < 0:
                return nanoseconds
        return max(self.counts, default=math.nan)


class Crew:
    """One client process."""

    def __init__(self, program: Path, arguments: list[str]):
        self.process = subprocess.Popen(
            pinned_client([str(program), *arguments]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pending = b""

    def tell(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def answer(self, seconds_max: float) -> str:
        """The next line it says."""
        deadline = time.monotonic() + seconds_max
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise RuntimeError(f"a client process said nothing for {seconds_max:g} s")
            read = os.read(descriptor, 1 << 16)
            if not read:
                raise RuntimeError(f"a client process ended with {self.process.wait()}")
            self.pending += read
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()

    def ask(self, line: str, seconds_max: float = 20) -> dict[str, str]:
        """The values it tells by name."""
        self.tell(line)
        return values(self.answer(seconds_max))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Fleet:
    """Several of them; use with `with`."""

    def __init__(self, program: Path, arguments: Iterable[list[str]]):
        self.program = program
        self.arguments = list(arguments)
        self.crews: list[Crew] = []

    def __enter__(self) -> list[Crew]:
        """Begun one after the other, each when the one before it is ready."""
        try:
            for arguments in self.arguments:
                crew = Crew(self.program, arguments)
                self.crews.append(crew)
                line = crew.answer(60)
                if line != "READY":
                    raise RuntimeError(f"{self.program.name} said {line!r}")
        except BaseException:
            self.__exit__()
            raise
        return self.crews

    def __exit__(self, *_: object) -> None:
        for crew in self.crews:
            crew.close()


def values(line: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S*)", line))
