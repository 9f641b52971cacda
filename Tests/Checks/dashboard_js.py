#!/usr/bin/env python3
"""What the dashboard's page makes of figures, under node: rates, a server that began anew, how figures are written."""

from pathlib import Path

from support.check import Context, run
from support.node import run_tests


def check(context: Context) -> None:
    run_tests(context, Path(__file__).resolve().parent / "dashboard_js" / "test.mjs")


if __name__ == "__main__":
    run(check, seconds_max=60)
