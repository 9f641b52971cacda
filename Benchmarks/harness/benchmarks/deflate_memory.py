"""`deflate-memory`: what a WebSocket that compresses costs in memory, idle and used, by setting of `ws-echo`, and what
one context costs by its window and memory level."""

import os
import socket
import time
import zlib
from statistics import median

from .. import report
from ..plan import Plan
from ..server import Running, Server, raise_file_limit
from ..tools import BENCHMARKS, ROOT, run, swift_product

NAME = "deflate-memory"
WARM_CONNECTIONS = 20
TEXT = (b'{"user":"ada","text":"words that come again and again","n":%d}' * 20)[:1_000]
PAUSE_SECONDS = 0.005
IDLE_SECONDS = 66  # contexts are given back after twice the timeout of 30 s at the latest
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
METHOD = """{count:,} connections of `ws-echo --compression SETTING --loops 1`, which all offer `permessage-deflate; \
client_max_window_bits` and, once all are open, send one compressed text of {size:,} bytes each and read its echo. Growth \
of `Anonymous` in `smaps_rollup` per connection after {warm} that did the same. `off` agrees on nothing; `shared` takes no \
context over; `context` takes both over, with windows of 4 KiB and a memory level of 5. Idle means that the connections \
said nothing for {idle} s, after which all that is not in use is given back; meanwhile one more connection, which does not \
compress, sent a text every {pause} ms, and its longest round trip says how long the loop was held up at \
most. What `shared` shows there is the machine's own noise, for nothing but one compressor is given back."""
# Window bits and memory level: the defaults, the preset with contexts, and the edges of both.
CONTEXTS = [(15, 9), (15, 8), (12, 8), (12, 5), (11, 4), (9, 1)]
CONTEXT_COUNT = 200
CONTEXT_MESSAGE_BYTES = 60_000
CONTEXT_METHOD = """One context alone, by its window and memory level: growth of the same over {count} contexts in one \
process, each used for one message of {size:,} bytes, behind 8 that did the same."""


class DeflateMemory:
    def __init__(self, plan: Plan):
        self.plan = plan

    def build(self) -> None:
        self.echo = swift_product(ROOT, "ws-echo")
        self.contexts = swift_product(BENCHMARKS, "deflate-contexts")

    def run(self) -> str:
        raise_file_limit()
        count = 1_000 if self.plan.is_quick else 5_000
        rows = []
        for setting in ["off", "shared", "context"]:
            rounds = [self.round(setting, count) for _ in range(self.plan.rounds)]
            cells = [f"{median(figures):,.0f}" for figures in zip(*rounds)]
            if not self.plan.is_quick:
                # Waited for once, and for nothing where nothing is to be given back.
                idle = None if setting == "off" else self.round(setting, count, IDLE_SECONDS)
                cells += [f"{idle[2]:,.0f}", f"{idle[3]:.1f}"] if idle else ["as before", ""]
            rows.append([setting, *cells])
            print(setting, *cells, flush=True)
        heading = f"## {NAME}{' (quick)' if self.plan.is_quick else ''}\n\n{report.machine()}"
        method = METHOD.format(
            count=count, size=len(TEXT), warm=WARM_CONNECTIONS, idle=IDLE_SECONDS, pause=int(PAUSE_SECONDS * 1_000)
        )
        columns = ["setting", "open, bytes", "used once, bytes"]
        if not self.plan.is_quick:
            columns += [f"idle for {IDLE_SECONDS} s, bytes", "longest round trip meanwhile, ms"]
        return "\n\n".join([heading, method, report.table(columns, rows), *self.by_window()])

    def by_window(self) -> list[str]:
        rows = []
        for bits, level in CONTEXTS:
            arguments = [bits, level, CONTEXT_COUNT, CONTEXT_MESSAGE_BYTES]
            command = [str(self.contexts), *map(str, arguments)]
            rounds = [[int(word) for word in run(command, BENCHMARKS).split()] for _ in range(self.plan.rounds)]
            cells = [f"{median(figures):,.0f}" for figures in zip(*rounds)]
            rows.append([f"{bits}, {level}", *cells])
            print(f"window of {bits} bits, memory level {level}:", *cells, flush=True)
        columns = ["window bits, memory level", "a context to send, bytes", "a context to receive, bytes"]
        method = CONTEXT_METHOD.format(count=CONTEXT_COUNT, size=CONTEXT_MESSAGE_BYTES)
        return [method, report.table(columns, rows)]

    def round(self, setting: str, count: int, idle_seconds: int = 0) -> list[float]:
        command = [str(self.echo), "--host", "127.0.0.1", "--port", "{port}", "--loops", "1", "--compression", setting]
        with Running(Server("ws-echo", command)) as running:
            warm = [Client(running.port) for _ in range(WARM_CONNECTIONS)]
            other = Client(running.port, offer="")
            warm.append(other)
            for client in warm:
                client.echo()
            before = running.anonymous_bytes()
            clients = [Client(running.port) for _ in range(count)]
            figures = [running.anonymous_bytes()]
            for client in clients:
                client.echo()
            figures.append(running.anonymous_bytes())
            longest = other.longest_echo(idle_seconds)
            if idle_seconds:
                figures.append(running.anonymous_bytes())
            for client in warm + clients:
                client.socket.close()
        growth = [(figure - before) / count for figure in figures]
        return growth + [longest * 1_000] if idle_seconds else growth


class Client:
    def __init__(self, port: int, offer: str = OFFER):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + offer.encode() + b"\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(4096)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(f"no upgrade: {head!r}")
        self.compresses = b"permessage-deflate" in head

    def echo(self) -> None:
        payload = TEXT
        if self.compresses:
            compressor = zlib.compressobj(wbits=-12)
            payload = (compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        first = 0xC1 if self.compresses else 0x81
        count = len(payload)
        length = bytes([0x80 | count]) if count < 126 else bytes([0xFE]) + count.to_bytes(2, "big")
        key = os.urandom(4)
        masked = bytes(byte ^ key[index & 3] for index, byte in enumerate(payload))
        self.socket.sendall(bytes([first]) + length + key + masked)
        head = self.exactly(2)
        left = head[1] if head[1] < 126 else int.from_bytes(self.exactly(2), "big")
        if head[0] != first or (not self.compresses and self.exactly(left) != TEXT):
            raise RuntimeError(f"no echo: {head!r}")
        if self.compresses:
            inflated = zlib.decompressobj(wbits=-15).decompress(self.exactly(left) + b"\0\0\xff\xff")
            if inflated != TEXT:
                raise RuntimeError("another echo than what was sent")

    def longest_echo(self, seconds: float) -> float:
        """The longest round trip, in seconds, of texts sent one after the other for so long."""
        longest = 0.0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = time.monotonic()
            self.echo()
            longest = max(longest, time.monotonic() - before)
            time.sleep(PAUSE_SECONDS)
        return longest

    def exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            piece = self.socket.recv(count - len(received))
            if not piece:
                raise RuntimeError("the server closed the connection")
            received += piece
        return received
