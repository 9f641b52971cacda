#!/usr/bin/env python3
"""rpc-cli against rpc-greeter's and rpc-bench's servers: what it prints, and how it exits."""

import re
import subprocess
from pathlib import Path

from support.check import Context, expect, run
from support.servers import free_port


def check(context: Context) -> None:
    program = str(Path(context.options.bin) / "rpc-cli")

    def cli(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)

    def works(*arguments: str) -> str:
        done = cli(*arguments)
        expect(done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def fails(code: int, says: str, *arguments: str) -> None:
        done = cli(*arguments)
        both = done.stdout + done.stderr
        expect(done.returncode == code, f"{' '.join(arguments)}: {done.returncode} instead of {code}: {both}")
        expect(says in done.stderr, f"{' '.join(arguments)}: no {says!r} in {both!r}")
        lines = [line for line in done.stderr.splitlines() if not re.match(r"Usage:|Help:|\s+See ", line)]
        expect(len([line for line in lines if line.strip()]) == 1, f"{' '.join(arguments)}: not one line: {both!r}")

    server = f"127.0.0.1:{context.server('rpc-bench', '--introspection').port}"
    expect(works("call", server, "bench.Echo/Echo", '{"a": [1, "é"]}') == '{"a": [1, "é"]}\n', "an echo")
    expect(works("call", server, "bench.Echo/Sleep", "1", "--metadata", "a=b") == "1\n", "a sleep")
    listed = works("list", server).splitlines()
    expect("bench.Echo/Echo  unary" in listed, f"list: {listed}")
    expect("longwire.Health/Check  unary" in listed, f"list: {listed}")
    expect(works("health", server) == "serving\n", "health")
    stats = works("stats", server)
    expect(re.search(r"^ +1 +1 +0 .*bench.Echo/Sleep$", stats, re.M), f"stats: {stats}")
    pings = works("ping", server, "--count", "3").splitlines()
    expect(len(pings) == 4 and pings[3].startswith("3 calls, us: min "), f"ping: {pings}")
    bench = works("bench", server, "bench.Echo/Echo", "--seconds", "0.5", "--in-flight", "8")
    expect(re.match(r"[1-9]\d+ calls/s, 8 in flight\n", bench), f"bench: {bench}")

    fails(2, "unimplemented", "call", server, "bench.Echo/Missing")
    fails(2, "invalidArgument", "call", server, "bench.Echo/Sleep", '"x"')
    fails(2, "deadlineExceeded", "call", server, "bench.Echo/Sleep", "5000", "--timeout", "0.1")
    fails(2, "not serving", "health", server, "no.Such")
    fails(1, "refused", "list", f"127.0.0.1:{free_port()}")
    fails(64, "not JSON", "call", server, "bench.Echo/Echo", "{")
    fails(64, "HOST:PORT", "list", "nowhere")
    fails(64, "--metadata", "call", server, "bench.Echo/Echo", "--metadata", "a")
    fails(64, "method", "call", server, "Echo")
    fails(64, "--count", "ping", server, "--count", "0")
    context.note("call, list, stats, health, ping, bench and nine mistakes")


if __name__ == "__main__":
    run(check, seconds_max=120)
