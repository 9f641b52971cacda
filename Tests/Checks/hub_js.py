#!/usr/bin/env python3
"""hub.js under node, against a scripted hub: calls, coming back, inbox, refusals, delays; and its types, by TypeScript."""

from pathlib import Path

from support.check import Context, run
from support.node import check_types, run_tests


def check(context: Context) -> None:
    folder = Path(__file__).resolve().parent / "hub_js"
    check_types(folder / "types.mjs")
    run_tests(context, folder / "test.mjs")


if __name__ == "__main__":
    run(check, seconds_max=60)
