"""A server under measurement: started on a free port, pinned to core 0, stopped by its own process handle."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass(frozen=True)
class Server:
    name: str
    command: list[str]  # "{port}" stands for the port
    load: tuple[str, ...] = ()  # what the load generator is told besides, to speak as it does

    def shown_command(self) -> str:
        here = f"{Path(__file__).resolve().parent.parent.parent}/"
        return " ".join([Path(self.command[0]).name, *self.command[1:]]).replace("{port}", "PORT").replace(here, "")


class Running:
    """Use with `with`: the server is gone when the block ends."""

    def __init__(self, server: Server, port: int | None = None, log: Path | None = None):
        self.server = server
        self.port = port or free_port()
        self.log = log  # where what it says on standard error is added

    def __enter__(self) -> "Running":
        command = [part.replace("{port}", str(self.port)) for part in self.server.command]
        with open(self.log or os.devnull, "ab") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 10
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.server.name} exited with {self.process.returncode} at its start")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"{self.server.name} does not answer on its port") from None
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def pid(self) -> int:
        # taskset replaces itself by the command, so the child is the server.
        return self.process.pid

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self) -> float:
        """Processor time of all its threads."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def anonymous_bytes(self) -> int:
        """Memory of its own that the process holds: heap and stacks, no code, no page cache."""
        with open(f"/proc/{self.pid}/smaps_rollup") as rollup:
            for line in rollup:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no Anonymous line in smaps_rollup")

    def resident_bytes(self) -> int:
        """All its memory that is in the machine's."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_file_limit() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pinned_client(command: list[str]) -> list[str]:
    return ["taskset", "-c", str(min(CLIENT_CORE, (os.cpu_count() or 1) - 1)), *command]
