#!/usr/bin/env python3
"""kill -9 in the middle of acknowledged writes to the SQLite store, again and again: nothing that was answered is
missing after."""

import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from support.check import Context, expect, run

KILLS, KILLS_FULL = 50, 500
SECONDS = (0.02, 0.25)


def answered_until_killed(program: str, path: Path, round_: int, seconds: float) -> list[str]:
    """The lines that a writer told before it was killed, `seconds` after the first."""
    command = [program, "write", str(path), str(round_)]
    writer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        first = writer.stdout.readline()
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    whole = (first + rest).decode()
    # A line cut short was not told.
    return whole[: whole.rfind("\n") + 1].splitlines()


def check(context: Context) -> None:
    program = str(Path(context.options.bin) / "store-run")
    seed = time.time_ns()
    chance = random.Random(seed)
    kills = KILLS_FULL if context.options.full else KILLS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.sqlite"
        answered: list[str] = []
        for round_ in range(kills):
            lines = answered_until_killed(program, path, round_, chance.uniform(*SECONDS))
            expect(lines, f"round {round_} of seed {seed}: nothing was answered")
            answered += lines
        done = subprocess.run(
            [program, "check", str(path)], input="".join(f"{line}\n" for line in answered), capture_output=True, text=True
        )
        expect(done.returncode == 0, f"seed {seed}: {done.stdout[-2_000:]}{done.stderr[-500:]}")
        context.note(f"{kills} kills, {len(answered)} answered writes, none missing")


if __name__ == "__main__":
    run(check, seconds_max=180)
