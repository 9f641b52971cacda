"""A WebSocket client that can break every rule: the bytes are written as the check gives them."""

import socket
import struct

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Ended(Exception):
    """The server ended the connection without a close frame."""


def upgrade_request(path: str = "/", host: str = "127.0.0.1", subprotocol: str | None = None) -> bytes:
    asked = "" if subprotocol is None else f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{asked}\r\n"
    ).encode()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, length: int | None = None) -> bytes:
    """One frame; `length` announces another length than the payload has."""
    announced = len(payload) if length is None else length
    first = (0x80 if fin else 0) | opcode
    mask_bit = 0x80 if masked else 0
    if announced < 126:
        head = struct.pack("!BB", first, mask_bit | announced)
    elif announced < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, announced)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, announced)
    if not masked:
        return head + payload
    key = b"\x37\xfa\x21\x3d"
    return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


class RawConnection:
    """A blocking TCP connection with a time limit on every wait."""

    def __init__(self, port: int, *, seconds_max: float = 10, receive_buffer_bytes: int | None = None):
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(seconds_max)
        self.socket.connect(("127.0.0.1", port))
        self._received = b""

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def upgrade(self, path: str = "/", subprotocol: str | None = None) -> None:
        self.send(upgrade_request(path, subprotocol=subprotocol))
        head = self.read_head()
        if " 101 " not in head.splitlines()[0] or ACCEPT not in head:
            raise Ended(f"no upgrade: {head.splitlines()[0]}")

    def read_head(self) -> str:
        """The head of an HTTP response."""
        while b"\r\n\r\n" not in self._received:
            self._fill("an HTTP response")
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def read_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame from the server."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return first & 0x0F, self._take(length)

    def read_close(self) -> int:
        """Reads up to the close frame and returns its code; 1005 where it has none."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else 1005

    def read_to_end(self) -> bytes:
        """What is still to come before the server ends the connection."""
        try:
            while True:
                self._fill("the end")
        except (Ended, ConnectionError):
            rest, self._received = self._received, b""
            return rest

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._fill("a frame")
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _fill(self, awaited: str) -> None:
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise TimeoutError(f"no more bytes while waiting for {awaited}") from None
        if not data:
            raise Ended(f"ended while waiting for {awaited}")
        self._received += data
