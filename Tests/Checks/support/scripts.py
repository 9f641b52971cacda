"""Seeded conversations as bytes: valid frames of every shape, and at the end a close or a broken rule."""

import os
import random
import struct
import zlib
from dataclasses import dataclass, field

from .raw_websocket import BINARY, CLOSE, PING, PONG, TEXT

CONTINUATION = 0
SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 1_000, 65_534, 65_535, 65_536, 65_537, 70_000, 200_000]
SIZE_WEIGHTS = [3, 3, 3, 3, 4, 4, 3, 3, 6, 1, 2, 2, 1, 1, 1]
ALPHABET = ["a", "Z", "0", " ", "\x00", "\x7f", "\x80", "é", "\u07ff", "\u0800", "€", "\ud7ff", "\ue000", "\uffff",
            "😀", "\U0010ffff"]
GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
BAD_TEXT = {
    "a lone continuation byte": b"\x80", "an overlong slash": b"\xc0\xaf", "an overlong three": b"\xe0\x9f\xbf",
    "an overlong four": b"\xf0\x8f\xbf\xbf", "a surrogate": b"\xed\xa0\x80", "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "byte 0xFF": b"\xff", "a cut character": b"\xe2\x82",
}


@dataclass
class Script:
    """What is played, and in which pieces."""

    seed: int
    data: bytes = b""
    # Where the part begins that ends the connection; what comes before is all valid.
    last: int = 0
    title: str = "closed"
    messages: int = 0
    # Whether a control frame stands between the fragments of a compressed message.
    parts_compressed: bool = False
    cuts: list[int] = field(default_factory=list)

    def pieces(self, start: int, end: int) -> list[bytes]:
        edges = [start, *(cut for cut in self.cuts if start < cut < end), end]
        return [self.data[a:b] for a, b in zip(edges, edges[1:])]


class Writer:
    """Writes frames of one side: a client's masked, a server's not."""

    def __init__(self, seed: int, is_client: bool, compression: str):
        self.random = random.Random(seed)
        self.is_client = is_client
        self.compression = compression
        self.script = Script(seed)
        self.deflater = None

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool | None = None,
              length_bytes: int | None = None, length: int | None = None) -> bytes:
        count = len(payload) if length is None else length
        masked = self.is_client if masked is None else masked
        if length_bytes is None:
            length_bytes = 0 if count < 126 else 2 if count < 65_536 else 8
        mark = 0x80 if masked else 0
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        head += {
            0: lambda: bytes([mark | count]),
            2: lambda: struct.pack("!BH", mark | 126, count),
            8: lambda: struct.pack("!BQ", mark | 127, count),
        }[length_bytes]()
        if not masked:
            return head + payload
        key = self.random.randbytes(4)
        pad = (key * (len(payload) // 4 + 1))[: len(payload)]
        return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")

    def payload(self, is_text: bool) -> bytes:
        size = self.random.choices(SIZES, SIZE_WEIGHTS)[0]
        if not is_text:
            return self.random.randbytes(size)
        text = b""
        piece = "".join(self.random.choices(ALPHABET, k=64)).encode()
        while len(text) + len(piece) <= size:
            text += piece
        while len(text) < size:
            text += b"x"
        return text

    def control(self) -> bytes:
        opcode = self.random.choice([PING, PING, PONG])
        return self.frame(opcode, self.random.randbytes(self.random.choice([0, 1, 5, 124, 125])))

    def compressed(self, payload: bytes) -> bytes:
        """A message's payload as permessage-deflate has it (RFC 7692 §7.2.1)."""
        if self.deflater is None or self.compression != "context":
            # ws-echo's contexts have a window of 12 bits, ws-walker's of 15.
            bits = 12 if self.compression == "context" and self.is_client else 15
            self.deflater = zlib.compressobj(6, zlib.DEFLATED, -bits)
        return (self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def message(self, payload: bytes, opcode: int, *, ends: bool = True) -> bytes:
        rsv = 0
        if self.compression != "off" and self.random.random() < 0.7:
            payload, rsv = self.compressed(payload), 4
        cuts = sorted(self.random.randint(0, len(payload)) for _ in range(self.random.choice([0, 0, 0, 1, 2, 5])))
        edges = [0, *cuts, len(payload)]
        frames = b""
        for index, (start, end) in enumerate(zip(edges, edges[1:])):
            if index > 0 and self.random.random() < 0.4:
                frames += self.control()
                self.script.parts_compressed |= rsv != 0
            is_last = index == len(edges) - 2
            frames += self.frame(opcode if index == 0 else CONTINUATION, payload[start:end], fin=is_last and ends,
                                 rsv=rsv if index == 0 else 0)
        return frames

    def close_payload(self, code: int) -> bytes:
        reason = "".join(self.random.choices(ALPHABET, k=self.random.choice([0, 3, 20]))).encode()
        return struct.pack("!H", code) + reason

    def ending(self) -> tuple[str, bytes]:
        """What ends the connection, and its name."""
        if self.random.random() < 0.4:
            payload = b"" if self.random.random() < 0.2 else self.close_payload(self.random.choice(GOOD_CODES))
            return "closed", self.frame(CLOSE, payload)
        return self.random.choice([
            self.bad_text, self.bad_code, self.bad_reason, self.reserved_opcode, self.reserved_bits,
            self.fragmented_control, self.long_control, self.stray_continuation, self.nested_message, self.wrong_mask,
            self.long_length, self.huge_length, self.one_byte_close,
        ])()

    def bad_text(self) -> tuple[str, bytes]:
        title, bad = self.random.choice(list(BAD_TEXT.items()))
        before, after = self.payload(True)[:300], b"" if title == "a cut character" else b"abc"
        text = before.decode(errors="ignore").encode() + bad + after
        was, self.compression = self.compression, "off"
        frames = self.message(text, TEXT)
        self.compression = was
        return f"text with {title}", frames

    def bad_code(self) -> tuple[str, bytes]:
        code = self.random.choice(BAD_CODES)
        return f"close code {code}", self.frame(CLOSE, self.close_payload(code))

    def bad_reason(self) -> tuple[str, bytes]:
        return "a close reason of no UTF-8", self.frame(CLOSE, struct.pack("!H", 1000) + b"a\xff")

    def one_byte_close(self) -> tuple[str, bytes]:
        return "a close of one byte", self.frame(CLOSE, b"\x03")

    def reserved_opcode(self) -> tuple[str, bytes]:
        opcode = self.random.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
        return f"opcode {opcode}", self.frame(opcode, b"a")

    def reserved_bits(self) -> tuple[str, bytes]:
        bits = self.random.choice([1, 2, 3] if self.compression != "off" else [1, 2, 3, 4, 5, 6, 7])
        return f"reserved bits {bits}", self.frame(self.random.choice([TEXT, BINARY]), b"a", rsv=bits)

    def fragmented_control(self) -> tuple[str, bytes]:
        return "a fragmented control frame", self.frame(self.random.choice([PING, PONG, CLOSE]), b"", fin=False)

    def long_control(self) -> tuple[str, bytes]:
        return "a control frame of 126 bytes", self.frame(self.random.choice([PING, PONG, CLOSE]), b"\x03\xe8" * 63)

    def stray_continuation(self) -> tuple[str, bytes]:
        return "a continuation of nothing", self.frame(CONTINUATION, b"a", fin=self.random.random() < 0.5)

    def nested_message(self) -> tuple[str, bytes]:
        return "a message in a message", self.frame(TEXT, b"a", fin=False) + self.frame(BINARY, b"b")

    def wrong_mask(self) -> tuple[str, bytes]:
        return "the wrong masking", self.frame(TEXT, b"abc", masked=not self.is_client)

    def long_length(self) -> tuple[str, bytes]:
        length_bytes, count = self.random.choice([(2, 5), (2, 125), (8, 5), (8, 126), (8, 65_535)])
        return "a length not minimal", self.frame(BINARY, bytes(count), length_bytes=length_bytes)

    def huge_length(self) -> tuple[str, bytes]:
        return "a length of 64 bits", self.frame(BINARY, b"a", length_bytes=8, length=1 << 63 | 1)


def script(seed: int, *, is_client: bool, compression: str) -> Script:
    """The conversation of one seed, as the client's bytes or as the server's."""
    writer = Writer(seed, is_client, compression)
    made = writer.script
    parts = []
    for _ in range(writer.random.randint(0, 12)):
        if writer.random.random() < 0.25:
            parts.append(writer.control())
        else:
            opcode = writer.random.choice([TEXT, BINARY])
            parts.append(writer.message(writer.payload(opcode == TEXT), opcode))
            made.messages += 1
    valid = b"".join(parts)
    made.title, ending = writer.ending()
    made.last = len(valid)
    if made.title != "closed" and not made.title.startswith("text with"):
        # Whoever missed the broken rule closes with 1000. Text is not followed by it: websockets looks at a message's
        # text only when the application takes it.
        ending += writer.frame(CLOSE, struct.pack("!H", 1000))
    made.data = valid + ending
    # Mostly a few cuts anywhere; now and then every byte of a short one for itself.
    if len(made.data) < 300 and writer.random.random() < 0.3:
        made.cuts = list(range(1, len(made.data)))
    else:
        made.cuts = sorted({writer.random.randint(0, len(made.data)) for _ in range(writer.random.randint(0, 30))})
    return made


def fresh_seed() -> int:
    return int.from_bytes(os.urandom(4), "big")
