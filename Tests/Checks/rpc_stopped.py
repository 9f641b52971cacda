#!/usr/bin/env python3
"""An RPC server is stopped with SIGSTOP: each call ends by its deadline, keepalive ends the connection in its time.
So it is on one connection, and through a client with its pool.

Then one is killed while calls run, in both ways: they end at once, and say that they may have run.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from support.check import Context, expect, run

IN_FLIGHT, TIMEOUT_MS, PING_INTERVAL_MS, PING_TIMEOUT_MS = 32, 600, 700, 800
SLACK_MS = 700  # the machine may be busy
DEADLINE_EXCEEDED, UNAVAILABLE = 4, 14


def hold(context: Context, port: int, timeout_ms: int, *options: str) -> subprocess.Popen:
    program = str(Path(context.options.bin) / "rpc-bench")
    # Through stdbuf every line comes when it is printed.
    client = subprocess.Popen(
        [
            "stdbuf", "-oL", program, "hold", "--port", str(port), "--in-flight", str(IN_FLIGHT),
            "--timeout", str(timeout_ms), "--ping-interval", str(PING_INTERVAL_MS),
            "--ping-timeout", str(PING_TIMEOUT_MS), *options,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    expect(client.stdout.readline() == "connected\n", "the client did not connect")
    time.sleep(0.3)
    return client


@dataclass(frozen=True)
class Ending:
    """How a call failed."""

    status: int
    milliseconds: int
    execution: str


def endings(client: subprocess.Popen, since: float) -> tuple[list[Ending], int]:
    """The calls that failed, and after how many milliseconds the last of them did."""
    output, _ = client.communicate(timeout=30)
    took = int((time.monotonic() - since) * 1_000)
    expect(client.returncode == 0, f"the client exited with {client.returncode}")
    lines = [line.split() for line in output.splitlines()]
    return [Ending(int(status), int(took_ms), execution) for status, took_ms, execution in lines], took


def stopped(context: Context, what: str, *options: str) -> None:
    server = context.server("rpc-bench", "--executor", "pool")
    client = hold(context, server.port, TIMEOUT_MS, *options)
    since = time.monotonic()
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        calls, took = endings(client, since)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        client.kill()
    late = [call for call in calls if call.milliseconds > TIMEOUT_MS + SLACK_MS]
    expect(not late, f"calls ended after their deadline: {late}")
    statuses = [call.status for call in calls]
    expect(set(statuses) <= {DEADLINE_EXCEEDED, UNAVAILABLE}, f"calls ended with {calls}")
    deadlines = statuses.count(DEADLINE_EXCEEDED)
    expect(deadlines >= IN_FLIGHT, f"{deadlines} calls ended by their deadline")
    expect(statuses.count(UNAVAILABLE) == IN_FLIGHT, "every caller saw the end of the connection")
    told = {call.execution for call in calls if call.status == DEADLINE_EXCEEDED}
    expect(told == {"unknown"}, f"calls that may have run are told to be {told}")
    bound = PING_INTERVAL_MS + PING_TIMEOUT_MS + SLACK_MS
    expect(took < bound, f"the connection ended after {took} ms, not within {bound}")
    context.note(f"stopped, calls {what}: {deadlines} deadlines, connection given up after {took} ms")


def killed(context: Context, what: str, *options: str) -> None:
    server = context.server("rpc-bench", "--executor", "loop")
    # Every call runs when the server dies: it takes longer than the check.
    client = hold(context, server.port, 60_000, "--sleep", "60000", *options)
    since = time.monotonic()
    os.kill(server.process.pid, signal.SIGKILL)
    try:
        calls, took = endings(client, since)
    finally:
        client.kill()
    expect(len(calls) == IN_FLIGHT, f"{len(calls)} calls of {IN_FLIGHT} ended: {calls}")
    told = {(call.status, call.execution) for call in calls}
    expect(told == {(UNAVAILABLE, "unknown")}, f"calls ended with {told}")
    expect(took < SLACK_MS, f"the calls ended {took} ms after the server")
    context.note(f"killed, calls {what}: all ended after {took} ms, and may have run")


def check(context: Context) -> None:
    stopped(context, "on one connection")
    stopped(context, "through a client", "--client")
    killed(context, "on one connection")
    killed(context, "through a client", "--client")


if __name__ == "__main__":
    run(check, seconds_max=90)
