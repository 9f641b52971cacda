"""The codec of wsproto, measured as `codec` measures ours.

Prints a line per measurement, tab-separated: what, by whom, size, figure, unit.
"""

import sys
import time

from wsproto.connection import Connection, ConnectionType
from wsproto.frame_protocol import XorMaskerSimple

KEY = bytes([0x37, 0xFA, 0x21, 0x3D])
TEXTS = {
    "ASCII": "All of these words are plain ASCII. ",
    "CJK": "漢字かな交じり文、全部三字節。",
    "mixed": "Some ASCII, ein paar Umlaute: äöü, 漢字, 🙂. ",
}


def calls_per_second(window: float, body) -> float:
    def seconds(batch: int) -> float:
        start = time.process_time()
        for _ in range(batch):
            body()
        return time.process_time() - start

    batch = 1
    while seconds(batch) < window / 20:
        batch *= 2
    calls, spent = 0, 0.0
    while spent < window:
        spent += seconds(batch)
        calls += batch
    return calls / spent


def report(operation: str, name: str, size: int, figure: float, unit: str) -> None:
    print(operation, name, size, figure, unit, sep="\t")


def masking(window: float) -> None:
    for size in [1, 2, 3, 4, 5, 7, 8, 11, 12, 15, 16, 64, 125, 1 << 10, 16 << 10, 1 << 20]:
        payload = bytes(size)
        calls = calls_per_second(window, lambda: XorMaskerSimple(KEY).process(payload))
        report("unmask", "wsproto (Python)", size, calls * size / 1e9, "GB/s")


def validation(window: float) -> None:
    for name, sample in TEXTS.items():
        for size in [16, 90, 1 << 10, 16 << 10, 1 << 20]:
            text = (sample * (size // len(sample) + 1)).encode()[:size].decode(errors="ignore").encode()
            calls = calls_per_second(window, text.decode)
            report(f"validate {name}", "bytes.decode (Python)", size, calls * len(text) / 1e9, "GB/s")


def messages(window: float) -> None:
    for size in [0, 16, 64, 125, 126, 1 << 10, 64 << 10]:
        if size < 126:
            head = bytes([0x82, 0x80 | size])
        elif size < 65536:
            head = bytes([0x82, 0xFE]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x82, 0xFF]) + size.to_bytes(8, "big")
        count = max(1, min(64, (64 << 10) // (size + 6)))
        stream = (head + KEY + bytes(size)) * count
        connection = Connection(ConnectionType.SERVER)

        def body() -> None:
            connection.receive_data(stream)
            for _ in connection.events():
                pass

        calls = calls_per_second(window, body)
        report("decode messages", "wsproto (Python)", size, calls * count / 1e6, "M/s")


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] != "--milliseconds":
        sys.exit("usage: codec.py --milliseconds EACH")
    window = int(sys.argv[2]) / 1000
    masking(window)
    validation(window)
    messages(window)


main()
