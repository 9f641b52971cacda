#!/usr/bin/env python3
"""Bad input gets the right HTTP status or close code and a log line at debug, and the server goes on."""

import argparse
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from support.chat import MESSAGE_BYTES_MAX, PATH, hello
from support.check import Context, Failed, expect, run
from support.raw_websocket import BINARY, CLOSE, PING, TEXT, Ended, RawConnection, frame
from support.servers import Server

HANDSHAKE_SECONDS_MAX = 45  # by then a handshake of one byte a second has to be over
LOG_SECONDS_MAX = 3


@dataclass(frozen=True)
class Case:
    title: str
    send: Callable[[RawConnection], None]
    expected: set[int]  # HTTP status before the upgrade, close code after it
    is_upgraded: bool
    log: str  # what the debug line has to say, as a pattern


def raw(data: bytes) -> Callable[[RawConnection], None]:
    return lambda connection: connection.send(data)


def head_with(line: bytes) -> bytes:
    return b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"


BEFORE = [
    Case("garbage", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n"), {400}, False, r"answered 400"),
    Case("a request line without version", raw(b"GET /ws\r\nHost: a\r\n\r\n"), {400, 505}, False, r"answered (400|505)"),
    Case("a request line of 64 KiB", raw(b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\n\r\n"), {414, 431}, False, r"answered 4\d\d"),
    Case("a header line of 64 KiB", raw(head_with(b"X: " + b"a" * 65_536)), {431}, False, r"answered 431"),
    Case("1,000 headers", raw(head_with(b"\r\n".join([b"X: y"] * 1_000))), {431}, False, r"answered 431"),
    Case("white space before the colon", raw(head_with(b"X : y")), {400}, False, r"answered 400"),
    Case("an upgrade to another version", raw(
        head_with(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")), {426}, False, r"answered 426"),
    Case("an upgrade without a key", raw(
        head_with(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13")), {400}, False, r"answered 400"),
]

UPGRADED = [
    *(Case(f"reserved opcode {opcode:#x}", raw(frame(opcode)), {1002}, True, r"opcode") for opcode in (0x3, 0x7, 0xB, 0xF)),
    Case("an unmasked frame", raw(frame(TEXT, b"hi", masked=False)), {1002}, True, r"mask"),
    Case("a reserved bit", raw(bytes([frame(TEXT, b"hi")[0] | 0x40]) + frame(TEXT, b"hi")[1:]), {1002}, True, r"bit|RSV"),
    Case("invalid UTF-8", raw(frame(TEXT, b"\xce\xba\xed\xa0\x80")), {1007}, True, r"UTF"),
    Case("UTF-8 cut off by the end", raw(frame(TEXT, b"abc\xe2\x82")), {1007}, True, r"UTF"),
    Case("length 2^63", raw(frame(BINARY, length=1 << 63)), {1002, 1009}, True, r"length|payload"),
    Case("length 2^63 - 1", raw(frame(BINARY, length=(1 << 63) - 1)), {1009}, True, r"exceed|big"),
    Case("a message one byte too big", raw(frame(TEXT, b"a" * (MESSAGE_BYTES_MAX + 1))), {1009}, True, r"exceed|big"),
    Case("a message too big in pieces", raw(
        frame(TEXT, b"a" * MESSAGE_BYTES_MAX, fin=False) + frame(0, b"aa")), {1009}, True, r"exceed|big"),
    Case("a ping of 126 bytes", raw(frame(PING, b"a" * 126)), {1002}, True, r"control"),
    Case("a ping in two fragments", raw(frame(PING, b"a", fin=False)), {1002}, True, r"control|fragment"),
    Case("a continuation of nothing", raw(frame(0, b"a")), {1002}, True, r"continuation"),
    Case("a message inside a message", raw(
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b")), {1002}, True, r"fragment|continuation"),
    Case("a close of one byte", raw(frame(CLOSE, b"\x03")), {1002}, True, r"close"),
    Case("close code 1005", raw(frame(CLOSE, struct.pack("!H", 1005))), {1002}, True, r"code"),
]


def still_serves(server: Server) -> None:
    with RawConnection(server.port) as connection:
        connection.upgrade(PATH)
        connection.send(frame(TEXT, hello("honest").encode()))
        said = [connection.read_frame()[1] for _ in range(2)]
        expect(b"welcome" in said[0] and b"reply" in said[1], "a good client is no longer served")
        connection.send(frame(CLOSE, struct.pack("!H", 1000)))
        expect(connection.read_close() == 1000, "a good client's close is not answered")


def outcome(case: Case, server: Server) -> int:
    with RawConnection(server.port) as connection:
        if case.is_upgraded:
            connection.upgrade(PATH)
        try:
            case.send(connection)
        except ConnectionError:
            pass  # The server may have answered and closed before it had all of it.
        if case.is_upgraded:
            code = connection.read_close()
            connection.send(frame(CLOSE, struct.pack("!H", code)))
        else:
            head = connection.read_head()
            found = re.match(r"HTTP/1\.1 (\d{3}) ", head)
            expect(found is not None, f"{case.title}: {head[:60]!r} is no HTTP response")
            code = int(found[1])
            expect(code != 426 or "sec-websocket-version: 13" in head.lower(), "426 without Sec-WebSocket-Version")
        connection.read_to_end()
        return code


def slow_handshake(server: Server) -> str:
    """One byte a second: 408, or just the end, within the deadline."""
    request = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: " + b"a" * 200
    started = time.monotonic()
    with RawConnection(server.port, seconds_max=1) as connection:
        for index in range(HANDSHAKE_SECONDS_MAX):
            try:
                connection.send(request[index : index + 1])
                status = connection.read_head().splitlines()[0]
                expect(" 408 " in status, f"a slow handshake got {status!r}")
                return f"408 after {time.monotonic() - started:.0f} s"
            except TimeoutError:
                continue
            except (Ended, ConnectionError):
                return f"closed after {time.monotonic() - started:.0f} s"
    raise Failed(f"a handshake of one byte a second was still open after {HANDSHAKE_SECONDS_MAX} s")


def expect_log(server: Server, start: int, title: str, pattern: str) -> None:
    deadline = time.monotonic() + LOG_SECONDS_MAX
    while True:
        lines = [line for line in server.log()[start:].splitlines() if " debug" in line.lower()]
        if any(re.search(pattern, line, re.IGNORECASE) for line in lines):
            return
        expect(time.monotonic() < deadline, f"{title}: no debug line says /{pattern}/, only {lines}")
        time.sleep(0.02)


def check(context: Context) -> None:
    server = context.server("chat-server", *([] if context.options.server else ["--log-level", "debug"]))
    still_serves(server)
    problems = []
    for case in [*BEFORE, *UPGRADED]:
        start = len(server.log())
        try:
            code = outcome(case, server)
            expect(code in case.expected, f"{case.title}: {code} instead of {sorted(case.expected)}")
            if not context.options.no_log:
                expect_log(server, start, case.title, case.log)
        except (Failed, Ended, OSError) as problem:
            problems.append(f"{case.title}: {problem}")
        still_serves(server)
    start = len(server.log())
    context.note("slow handshake: " + slow_handshake(server))
    if not context.options.no_log:
        expect_log(server, start, "slow handshake", r"408|timeout|timed out|deadline")
    still_serves(server)
    for problem in problems:
        print(f"  {problem}")
    expect(not problems, f"{len(problems)} of {len(BEFORE) + len(UPGRADED)} cases went wrong")
    expect(server.process.poll() is None, "the server is gone")
    context.note(f"{len(BEFORE) + len(UPGRADED)} kinds of bad input")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-log", action="store_true", help="do not look for debug lines (for another server)")


if __name__ == "__main__":
    run(check, seconds_max=180, options=options)
