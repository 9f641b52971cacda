#!/usr/bin/env python3
"""ws-echo with 64 descriptors and 200 connecting clients: no spin, no dead listener, and it serves again after."""

import resource
import socket
import time

from support.check import Context, expect, run
from support.raw_websocket import TEXT, Ended, RawConnection, frame

DESCRIPTORS = 64
CLIENTS = 200
WATCHED_SECONDS = 4
CPU_SHARE_MAX = 0.25  # of one core, while the descriptors are exhausted
RECOVERY_SECONDS_MAX = 20


def echoes(connection: RawConnection) -> bool:
    try:
        connection.send(frame(TEXT, b"still here"))
        return connection.read_frame() == (TEXT, b"still here")
    except (Ended, OSError):
        return False


def upgraded(port: int, seconds_max: float) -> RawConnection | None:
    connection = None
    try:
        connection = RawConnection(port, seconds_max=seconds_max)
        connection.upgrade()
        return connection
    except (Ended, OSError, IndexError):
        # Shed, or left waiting in the backlog: both are ways to have no descriptor for it.
        if connection is not None:
            connection.socket.close()
        return None


def check(context: Context) -> None:
    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    server = context.server("ws-echo", *([] if context.options.server else ["--loops", "1"]), before_exec=few_descriptors)
    served: list[RawConnection] = []
    while len(served) < CLIENTS and (connection := upgraded(server.port, 2)) is not None:
        served.append(connection)
    expect(len(served) >= DESCRIPTORS // 2, f"only {len(served)} of {DESCRIPTORS} descriptors serve clients")
    expect(len(served) < DESCRIPTORS, "the server does not feel its limit, so nothing is checked")

    # The rest of the crowd: some are shed at once, some wait in the backlog.
    crowd = [socket.socket() for _ in range(CLIENTS - len(served))]
    for waiting in crowd:
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", server.port))
    time.sleep(0.5)
    before, started = server.cpu_seconds(), time.monotonic()
    while time.monotonic() - started < WATCHED_SECONDS:
        time.sleep(0.2)
    share = (server.cpu_seconds() - before) / WATCHED_SECONDS
    expect(share < CPU_SHARE_MAX, f"the server spins: {share:.0%} of a core with its descriptors exhausted")
    expect(server.process.poll() is None, "the server is gone")
    expect(all(echoes(connection) for connection in served), "a client that was being served no longer is")

    for connection in served[: len(served) // 2]:
        connection.socket.close()
    for waiting in crowd:
        waiting.close()
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while (newcomer := upgraded(server.port, 2)) is None:
        expect(time.monotonic() < deadline, "nobody new is served after others left")
        time.sleep(0.1)
    expect(echoes(newcomer), "the newcomer gets no echo")
    expect(all(echoes(connection) for connection in served[len(served) // 2 :]), "one who stayed is no longer served")
    context.note(f"{len(served)} served, {share:.1%} of a core while exhausted")


if __name__ == "__main__":
    run(check, seconds_max=120)
