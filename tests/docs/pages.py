"""The commands of a Markdown page: its fenced blocks, and why some of them cannot run here."""

import re
import shlex
from typing import NamedTuple

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A fenced block."""

    language: str
    body: str
    reason: str | None
    """Why it is not run; None: it is."""

    def commands(self):
        """The arguments of every command, comments left out."""
        lines = self.body.replace("\\\n", " ").splitlines()
        return [found for line in lines if (found := shlex.split(line, comments=True))]


def blocks(page):
    """All blocks of a page that are commands or Python."""
    text = page.read_text(encoding="utf-8")
    found = (Block(m["language"], m["body"], m["reason"]) for m in FENCE.finditer(text))
    return [block for block in found if block.language in ("bash", "python")]


def unfenced(page):
    """Commands in indented blocks, which no test would see."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"^ {4}(?:n2r|python|make|srun) .*$", text, re.MULTILINE)
