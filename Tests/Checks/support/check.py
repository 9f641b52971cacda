"""One check: a name, a body, one PASS or FAIL line and the exit code that goes with it."""

import argparse
import asyncio
import inspect
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from .servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent.parent


class Failed(Exception):
    """What the server did is not what it has to do."""


class Context:
    """The options of a check's command line, and the servers it started."""

    def __init__(self, name: str, options: argparse.Namespace):
        self.name = name
        self.options = options
        self.servers: list[Server] = []
        self.notes: list[str] = []

    def server(self, product: str, *arguments: str, **settings) -> Server:
        """Starts ws-echo or chat-server, or what --server says, on a free port and waits until it accepts."""
        server = Server.start(self.command(product), list(arguments), **settings)
        self.servers.append(server)
        server.wait_until_ready()
        return server

    def command(self, product: str) -> list[str]:
        if self.options.server:
            return self.options.server.split()
        return [str(Path(self.options.bin) / product), "--port", "{port}"]

    def note(self, text: str) -> None:
        """Adds a figure to the closing line."""
        self.notes.append(text)


def expect(condition: bool, problem: str) -> None:
    if not condition:
        raise Failed(problem)


def run(body: Callable, *, seconds_max: int, options: Callable | None = None) -> None:
    """Runs `body(context)`, plain or async, and exits: 0 for PASS, 1 for FAIL.

    A check that takes longer than `seconds_max` fails; whatever happens, its servers are stopped.
    """
    name = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=inspect.getmodule(body).__doc__)
    parser.add_argument(
        "--bin", default=str(ROOT / ".build" / "release"), help="folder of the executables (default .build/release)"
    )
    parser.add_argument("--server", metavar="COMMAND", help="another server; {port} in it stands for the port")
    parser.add_argument("--full", action="store_true", help="repeat as often as the full run does")
    if options is not None:
        options(parser)
    context = Context(name, parser.parse_args())
    raise_file_limit()
    started = time.monotonic()
    verdict = None
    try:
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(seconds_max)
        if inspect.iscoroutinefunction(body):
            asyncio.run(body(context))
        else:
            body(context)
    except Failed as failed:
        verdict = str(failed)
    except TimeoutError as timeout:
        traceback.print_exc()
        verdict = f"timed out: {timeout}"
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the check did not pass
        traceback.print_exc()
        verdict = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        for server in context.servers:
            server.close()
    took = f"{time.monotonic() - started:.1f} s"
    if verdict is None:
        print(f"PASS {name} ({', '.join([*context.notes, took])})", flush=True)
        sys.exit(0)
    for server in context.servers:
        for line in server.log().splitlines()[-15:]:
            print(f"  log: {line}")
    print(f"FAIL {name}: {verdict} ({took})", flush=True)
    sys.exit(1)


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _too_long(*_: object) -> None:
    raise TimeoutError("the check's own time limit")
