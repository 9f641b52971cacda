#!/usr/bin/env python3
"""What the chat's page knows of a room, under node: histories, gaps, what is being sent, leaving."""

from pathlib import Path

from support.check import Context, run
from support.node import run_tests


def check(context: Context) -> None:
    run_tests(context, Path(__file__).resolve().parent / "chat_js" / "test.mjs")


if __name__ == "__main__":
    run(check, seconds_max=60)
