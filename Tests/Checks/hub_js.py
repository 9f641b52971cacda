#!/usr/bin/env python3
"""hub.js under node, against a scripted hub: calls, coming back, inbox, refusals, delays."""

import re
import shutil
import subprocess
from pathlib import Path

from support.check import Context, expect, run

TESTS = Path(__file__).resolve().parent / "hub_js" / "test.mjs"


def check(context: Context) -> None:
    node = shutil.which("node")
    expect(node is not None, "no node: apt-get install nodejs (18 or later)")
    done = subprocess.run([node, "--test", str(TESTS)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(done.stdout)
    passed, failed = (int(re.search(rf"^\S+ {word} (\d+)$", done.stdout, re.MULTILINE)[1]) for word in ("pass", "fail"))
    expect(done.returncode == 0 and failed == 0, f"{failed} tests failed")
    expect(passed > 0, "no test ran")
    context.note(f"{passed} tests")


if __name__ == "__main__":
    run(check, seconds_max=60)
