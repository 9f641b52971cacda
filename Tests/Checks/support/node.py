"""Tests of scripts that run without a browser."""

import re
import shutil
import subprocess
from pathlib import Path

from .check import Context, expect


def run_tests(context: Context, tests: Path) -> None:
    """Runs a file of node's tests, of which at least one has to be there and all have to pass."""
    node = shutil.which("node")
    expect(node is not None, "no node: apt-get install nodejs (18 or later)")
    done = subprocess.run([node, "--test", str(tests)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(done.stdout)
    passed, failed = (int(re.search(rf"^\S+ {word} (\d+)$", done.stdout, re.MULTILINE)[1]) for word in ("pass", "fail"))
    expect(done.returncode == 0 and failed == 0, f"{failed} tests failed")
    expect(passed > 0, "no test ran")
    context.note(f"{passed} tests")


def check_types(script: Path) -> None:
    """Fails where the types of a script, and of those it imports, do not fit, by their JSDoc."""
    compiler = shutil.which("tsc")
    expect(compiler is not None, "no tsc: apt-get install node-typescript")
    options = "--noEmit --allowJs --checkJs --strict --target es2022 --module es2022 --moduleResolution node --lib es2022,dom"
    done = subprocess.run([compiler, *options.split(), str(script)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    expect(done.returncode == 0, done.stdout[-2_000:])
