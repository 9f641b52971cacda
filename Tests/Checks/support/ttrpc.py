"""What ttrpc's frames hold, protobuf, written and read by hand; and a server of unary calls."""

import socketserver
import struct
import threading
from collections.abc import Callable

REQUEST, RESPONSE = 1, 2


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def fields(data: bytes) -> dict:
    out, cursor = {}, 0

    def number() -> int:
        nonlocal cursor
        value = shift = 0
        while True:
            byte = data[cursor]
            cursor += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while cursor < len(data):
        tag = number()
        if tag & 7 == 0:
            out[tag >> 3] = number()
        else:
            if tag & 7 != 2:
                raise ValueError(f"wire type {tag & 7}")
            length = number()
            out[tag >> 3] = data[cursor : cursor + length]
            cursor += length
    return out


class Refused(Exception):
    """What a handler raises to end a call with a status."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


class Server:
    """Serves unary calls on a port until it is closed; `handler(method, payload, metadata)` gives the reply's bytes."""

    def __init__(self, port: int, handler: Callable[[str, bytes, dict[str, str]], bytes]):
        connections = self._connections = set()

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                connections.add(self.connection)
                try:
                    while serve_one(self.rfile, self.wfile, handler):
                        pass
                except OSError:
                    pass
                finally:
                    connections.discard(self.connection)

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    pass

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._listener = Listener(("127.0.0.1", port), Connection)
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        for connection in list(self._connections):
            connection.shutdown(2)


def serve_one(source, sink, handler: Callable) -> bool:
    """Answers one request; whether there was one."""
    head = source.read(10)
    if len(head) < 10:
        return False
    length, stream, kind, _ = struct.unpack(">IIBB", head)
    data = source.read(length)
    if kind != REQUEST:
        return True
    request = fields(data)
    try:
        answer = field(2, handler(request[2].decode(), request.get(3, b""), entries(data)))
    except Refused as refusal:
        answer = field(1, b"\x08" + varint(refusal.code) + field(2, str(refusal).encode()))
    sink.write(struct.pack(">IIBB", len(answer), stream, RESPONSE, 0) + answer)
    sink.flush()
    return True


def entries(data: bytes) -> dict[str, str]:
    """The metadata of a request, of which `fields` keeps the last entry only."""
    found, cursor = {}, 0
    while cursor < len(data):
        tag = data[cursor]
        cursor += 1
        if tag & 7 == 0:
            while data[cursor] & 0x80:
                cursor += 1
            cursor += 1
            continue
        length = shift = 0
        while True:
            byte = data[cursor]
            cursor += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if tag >> 3 == 5:
            entry = fields(data[cursor : cursor + length])
            found[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
        cursor += length
    return found
