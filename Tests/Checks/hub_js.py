#!/usr/bin/env python3
"""hub.js under node, against a scripted hub: calls, coming back, inbox, refusals, delays."""

from pathlib import Path

from support.check import Context, run
from support.node import run_tests


def check(context: Context) -> None:
    run_tests(context, Path(__file__).resolve().parent / "hub_js" / "test.mjs")


if __name__ == "__main__":
    run(check, seconds_max=60)
