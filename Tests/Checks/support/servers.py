"""Server processes: started on a port of their own, watched, and stopped by their own process handle."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time


class Server:
    def __init__(self, process: subprocess.Popen, port: int, log_path: str):
        self.process = process
        self.port = port
        self._log_path = log_path

    @classmethod
    def start(
        cls,
        command: list[str],
        arguments: list[str],
        *,
        port: int | None = None,
        environment: dict[str, str] | None = None,
        before_exec=None,
    ) -> "Server":
        port = free_port() if port is None else port
        handle, log_path = tempfile.mkstemp(suffix=".log")
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command] + arguments,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env={**os.environ, **(environment or {})},
            preexec_fn=before_exec,
        )
        os.close(handle)
        return cls(process, port, log_path)

    def wait_until_ready(self, seconds_max: float = 20) -> None:
        """Returns when the port accepts a connection."""
        deadline = time.monotonic() + seconds_max
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server exited with {self.process.returncode} at its start:\n{self.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError("the server does not accept connections") from None
                time.sleep(0.02)

    @property
    def pid(self) -> int:
        return self.process.pid

    def url(self, path: str = "/") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def log(self) -> str:
        try:
            with open(self._log_path, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def resident_bytes(self) -> int:
        return self._status_kib("VmRSS:") * 1024

    def anonymous_bytes(self) -> int:
        """What it holds of memory of its own: not the pages of its program that it came to run."""
        return self._status_kib("RssAnon:") * 1024

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _status_kib(self, key: str) -> int:
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith(key):
                    return int(line.split()[1])
        raise RuntimeError(f"no {key} of the server")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    """A port that was free a moment ago, and that the kernel gives to no client."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
