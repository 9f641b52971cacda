#!/usr/bin/env python3
"""MessagePack read and written anew by the module and by PyPI's msgpack: the same bytes for the same values, and the
same verdict on broken ones.

Values are drawn from a seed. A value that Python packed has to come back byte by byte; one that was changed at random
has to be taken, refused or waited for by both alike.
"""

import argparse
import random
import struct
import subprocess
import time
from pathlib import Path

import msgpack

from support.check import Context, expect, run

REFUSED, INCOMPLETE = 0xFFFFFFFF, 0xFFFFFFFE


def value(draw: random.Random, depth: int = 0):
    kind = draw.randrange(11 if depth < 5 else 9)
    match kind:
        case 0:
            return draw.choice([None, True, False])
        case 1 | 2:
            bits = draw.randrange(1, 65)
            return draw.choice([draw.getrandbits(bits), -draw.getrandbits(min(bits, 63))])
        case 3:
            return draw.choice([draw.random(), draw.uniform(-1e300, 1e300), float("inf"), 0.0, -0.0])
        case 4 | 5:
            return "".join(draw.choice("aé漢🙂 ") for _ in range(length(draw)))
        case 6:
            return draw.randbytes(length(draw))
        case 7:
            return msgpack.ExtType(draw.randrange(128), draw.randbytes(length(draw)))
        case 8:
            return msgpack.Timestamp(
                draw.choice([draw.getrandbits(32), draw.getrandbits(34), -draw.getrandbits(62)]),
                draw.choice([0, draw.randrange(10**9)]),
            )
        case 9:
            return [value(draw, depth + 1) for _ in range(draw.choice([0, 1, 3, 17, 40]))]
        case _:
            return {key(draw): value(draw, depth + 1) for _ in range(draw.choice([0, 1, 3, 17]))}


def key(draw: random.Random):
    return draw.choice(["".join(draw.choice("abc") for _ in range(draw.randrange(6))), draw.getrandbits(20)])


def length(draw: random.Random) -> int:
    return draw.choice([0, 1, 2, 4, 8, 16, 31, 32, 255, 256, draw.randrange(300)])


def broken(draw: random.Random, packed: bytes) -> bytes:
    """Some bytes changed, cut off or put in."""
    changed = bytearray(packed)
    for _ in range(draw.randrange(1, 4)):
        match draw.randrange(3):
            case 0 if changed:
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            case 1:
                del changed[draw.randrange(len(changed) + 1) :]
            case _:
                changed.insert(draw.randrange(len(changed) + 1), draw.choice([0xC1, 0x80, 0x90, 0xC0, 0xD9, 0xFF]))
    return bytes(changed)


def theirs(packed: bytes) -> bytes | int:
    """What msgpack makes of the first value: packed anew, refused or incomplete."""
    # Pairs, so that a key may be anything and stand twice; text may be no UTF-8, as for a reader of tokens.
    unpacker = msgpack.Unpacker(
        strict_map_key=False, unicode_errors="surrogateescape", object_pairs_hook=Pairs, ext_hook=Extension,
        max_buffer_size=1 << 24, max_array_len=1_048_576, max_map_len=524_288,
    )  # fmt: skip
    unpacker.feed(packed)
    try:
        unpacked = unpacker.unpack()
    except msgpack.OutOfData:
        return INCOMPLETE
    except Exception:  # noqa: BLE001 - whatever it calls it, it is refused
        return REFUSED
    return pack(unpacked)


class Pairs(list):
    """A map as it came."""


class Extension:
    """An extension of any type; msgpack's own has none below 0."""

    def __init__(self, code: int, data: bytes):
        self.code, self.data = code, data


def pack(unpacked) -> bytes:
    packer = msgpack.Packer(autoreset=False, unicode_errors="surrogateescape")

    def put(one) -> None:
        if isinstance(one, Pairs):
            packer.pack_map_header(len(one))
            for name, content in one:
                put(name)
                put(content)
        elif isinstance(one, Extension):
            packer.pack_ext_type(one.code, one.data)
        elif isinstance(one, list):
            packer.pack_array_header(len(one))
            for content in one:
                put(content)
        else:
            packer.pack(one)

    put(unpacked)
    return packer.bytes()


def ours(program: str, cases: list[bytes]) -> list[bytes | int]:
    given = b"".join(struct.pack(">I", len(case)) + case for case in cases)
    done = subprocess.run([program], input=given, capture_output=True, timeout=120)
    expect(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-300:]!r}")
    answers, cursor = [], 0
    while cursor < len(done.stdout):
        (count,) = struct.unpack_from(">I", done.stdout, cursor)
        cursor += 4
        if count in (REFUSED, INCOMPLETE):
            answers.append(count)
        else:
            answers.append(done.stdout[cursor : cursor + count])
            cursor += count
    expect(len(answers) == len(cases), f"{len(answers)} answers to {len(cases)} cases")
    return answers


def comparable(case: bytes, answer: bytes | int, their: bytes | int) -> bool:
    """Whether both can be held against each other: text of ours is made UTF-8, and single floats stay single."""
    return isinstance(answer, int) or isinstance(their, int) or (b"\xca" not in case and is_text_whole(case))


def is_text_whole(case: bytes) -> bool:
    unpacker = msgpack.Unpacker(strict_map_key=False, object_pairs_hook=Pairs, ext_hook=Extension)
    unpacker.feed(case)
    try:
        unpacker.unpack()
        return True
    except UnicodeDecodeError:
        return False


def check(context: Context) -> None:
    options = context.options
    program = str(Path(options.bin) / "messagepack-run")
    draw = random.Random(options.seed)
    packed = [msgpack.packb(value(draw)) for _ in range(options.count)]
    for case, answer in zip(packed, ours(program, packed)):
        expect(answer == case, f"seed {options.seed}: {case.hex()} came back as {answer!r}")
    changed = [broken(draw, case) for case in packed if len(case) < 4_000]
    verdicts = {REFUSED: 0, INCOMPLETE: 0}
    for case, answer in zip(changed, ours(program, changed)):
        their = theirs(case)
        if comparable(case, answer, their):
            expect(answer == their, f"seed {options.seed}: {case.hex()}: {answer!r}, theirs {their!r}")
        if isinstance(answer, int):
            verdicts[answer] += 1
    context.note(f"seed {options.seed}: {len(packed)} values, {len(changed)} broken ones")
    context.note(f"{verdicts[REFUSED]} refused, {verdicts[INCOMPLETE]} incomplete")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=3_000, help="how many values (default 3000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what they follow from (default: fresh)")


if __name__ == "__main__":
    run(check, seconds_max=200, options=options)
