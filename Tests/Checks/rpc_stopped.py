#!/usr/bin/env python3
"""An RPC server is stopped with SIGSTOP: each call ends by its deadline, keepalive ends the connection in its time.

Then one is killed while calls run: they end at once.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from support.check import Context, expect, run

IN_FLIGHT, TIMEOUT_MS, PING_INTERVAL_MS, PING_TIMEOUT_MS = 32, 600, 700, 800
SLACK_MS = 700  # the machine may be busy
DEADLINE_EXCEEDED, UNAVAILABLE = 4, 14


def hold(context: Context, port: int) -> subprocess.Popen:
    program = str(Path(context.options.bin) / "rpc-bench")
    # Through stdbuf every line comes when it is printed.
    client = subprocess.Popen(
        [
            "stdbuf", "-oL", program, "hold", "--port", str(port), "--in-flight", str(IN_FLIGHT),
            "--timeout", str(TIMEOUT_MS), "--ping-interval", str(PING_INTERVAL_MS),
            "--ping-timeout", str(PING_TIMEOUT_MS),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    expect(client.stdout.readline() == "connected\n", "the client did not connect")
    time.sleep(0.3)
    return client


def endings(client: subprocess.Popen, since: float) -> tuple[list[tuple[int, int]], int]:
    """The statuses and milliseconds of the calls that failed, and when the last of them did."""
    output, _ = client.communicate(timeout=30)
    took = int((time.monotonic() - since) * 1_000)
    expect(client.returncode == 0, f"the client exited with {client.returncode}")
    return [tuple(map(int, line.split())) for line in output.splitlines()], took


def stopped(context: Context) -> None:
    server = context.server("rpc-bench", "--executor", "pool")
    client = hold(context, server.port)
    since = time.monotonic()
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        calls, took = endings(client, since)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        client.kill()
    late = [call for call in calls if call[1] > TIMEOUT_MS + SLACK_MS]
    expect(not late, f"calls ended after their deadline: {late}")
    expect({code for code, _ in calls} <= {DEADLINE_EXCEEDED, UNAVAILABLE}, f"statuses {calls}")
    deadlines = sum(code == DEADLINE_EXCEEDED for code, _ in calls)
    expect(deadlines >= IN_FLIGHT, f"{deadlines} calls ended by their deadline")
    expect(sum(code == UNAVAILABLE for code, _ in calls) == IN_FLIGHT, "every caller saw the end of the connection")
    bound = PING_INTERVAL_MS + PING_TIMEOUT_MS + SLACK_MS
    expect(took < bound, f"the connection ended after {took} ms, not within {bound}")
    context.note(f"stopped: {deadlines} deadlines, connection given up after {took} ms")


def killed(context: Context) -> None:
    server = context.server("rpc-bench", "--executor", "loop")
    client = hold(context, server.port)
    since = time.monotonic()
    os.kill(server.process.pid, signal.SIGKILL)
    try:
        calls, took = endings(client, since)
    finally:
        client.kill()
    expect([code for code, _ in calls] == [UNAVAILABLE] * IN_FLIGHT, f"statuses {calls}")
    expect(took < SLACK_MS, f"the calls ended {took} ms after the server")
    context.note(f"killed: all calls ended after {took} ms")


def check(context: Context) -> None:
    stopped(context)
    killed(context)


if __name__ == "__main__":
    run(check, seconds_max=90)
