"""The commands of an article or README, and the answers that stand behind them."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple


def examples(article: Path) -> list[tuple[list[str], list[str]]]:
    """The article's commands, block by block, each with its answers: lines of JSON, or a block of text as one."""
    found: list[tuple[list[str], list[str]]] = []
    for block in blocks(article.read_text(), "sh|json|text"):
        if block.kind == "sh":
            found.append((block.text.splitlines(), []))
        else:
            found[-1][1].extend([block.text] if block.kind == "text" else block.text.splitlines())
    return found


class Block(NamedTuple):
    """A fenced block: its language, what stands in it, and the last line before it."""

    kind: str
    text: str
    lead: str


def blocks(text: str, kinds: str) -> list[Block]:
    found = re.finditer(rf"```({kinds})\n(.*?)```", text, re.DOTALL)
    return [Block(match[1], match[2], _last_line(text[: match.start()])) for match in found]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def commands(block: str) -> list[str]:
    """The commands of a block, those on several lines as one."""
    return block.replace("\\\n", "").splitlines()


def fits(answer: str, shown: str) -> bool:
    """Whether an answer is what is shown, where … stands for anything that was not known beforehand."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None


class Shell:
    """One bash that runs an article's commands one after the other, so that variables and jobs of one are there for the next."""

    END = b"\0"

    def __init__(self, folder: Path, path: str, errors: Path):
        self._errors = errors
        with errors.open("wb") as stream:
            self._process = subprocess.Popen(
                ["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, cwd=folder,
                env={"PATH": path, "HOME": str(folder), "TMPDIR": os.environ.get("TMPDIR", "/tmp")},
            )

    def complaints(self) -> str:
        """What the commands complained of so far."""
        return self._errors.read_text(errors="replace")

    def run(self, command: str) -> tuple[int, str]:
        """Its exit code, and what it printed."""
        line = command if command.rstrip().endswith("&") else command + "\n"
        self._process.stdin.write(f"{line} printf '\\0%s\\0' $?\n".encode())
        self._process.stdin.flush()
        output = self._until_end()
        return int(self._until_end()), output.decode()

    def _until_end(self) -> bytes:
        read = bytearray()
        while (byte := self._process.stdout.read(1)) != self.END:
            if not byte:
                raise RuntimeError(f"the shell ended: {read.decode(errors='replace')}")
            read += byte
        return bytes(read)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
