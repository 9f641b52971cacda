"""The commands of a DocC article, and the answers that stand behind them."""

import re
from pathlib import Path


def examples(article: Path) -> list[tuple[list[str], list[str]]]:
    """The article's commands, block by block, each with its answers: lines of JSON, or a block of text as one."""
    blocks = re.findall(r"```(sh|json|text)\n(.*?)```", article.read_text(), re.DOTALL)
    found: list[tuple[list[str], list[str]]] = []
    for kind, text in blocks:
        if kind == "sh":
            found.append((text.splitlines(), []))
        else:
            found[-1][1].extend([text] if kind == "text" else text.splitlines())
    return found


def fits(answer: str, shown: str) -> bool:
    """Whether an answer is what is shown, where … stands for anything that was not known beforehand."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, answer.strip()) is not None
