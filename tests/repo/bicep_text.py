"""Reads our own Bicep well enough to make assertions about it: declarations, their bodies, their properties.

It leans on how we write it (one declaration starts at the left margin and ends there); a real parser, where the machine
has one beside the repository, checks the same files for what they mean to Azure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"

HEAD = re.compile(r"(?P<kind>resource|module|param|var|output)\s+(?P<name>\w+)\s*(?P<rest>.*)")
OPENING, CLOSING = "{[(", "}])"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One ``resource``, ``module``, ``param``, ``var`` or ``output``; ``head`` is its first line, ``body`` is all."""

    file: str
    kind: str
    name: str
    head: str
    body: str
    decorators: str

    @property
    def type(self) -> str:
        """The resource type without its version, or the path of a module."""
        found = re.search(r"'([^']+)'", self.head)
        return found.group(1).split("@")[0] if found else ""

    @property
    def is_existing(self) -> bool:
        """Whether a resource is only referred to."""
        return " existing =" in self.head

    @property
    def condition(self) -> str:
        """What it depends on being deployed, as written; empty if it always is."""
        found = re.search(r"\bif \((.*)\) \{", self.body)
        return found.group(1) if found else ""

    def value(self, key: str) -> str:
        """Return what follows the first ``key:`` in the body, brackets and all; empty if there is none."""
        found = re.search(rf"^\s*'?{re.escape(key)}'?:\s*", self.body, re.MULTILINE)
        return _balanced(self.body[found.end() :]) if found else ""


def declarations(folder: Path = INFRA) -> list[Declaration]:
    """Return every declaration of every Bicep file of a folder."""
    return [one for file in sorted(folder.rglob("*.bicep")) for one in _of(file, folder)]


def entries(block: str) -> dict[str, str]:
    """Return the direct ``key: value`` pairs of an object as written."""
    inner = block.strip().removeprefix("{").removesuffix("}")
    found: dict[str, str] = {}
    while match := re.search(r"^\s*'?([\w.-]+)'?:\s*", inner, re.MULTILINE):
        value = _balanced(inner[match.end() :])
        found[match.group(1)] = value
        inner = inner[match.end() + len(value) :]
    return found


def _of(file: Path, folder: Path) -> Iterator[Declaration]:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    decorators = ""
    for number, line in enumerate(lines):
        match = HEAD.match(line)
        if match:
            rest = "".join(lines[number:])
            yield Declaration(
                file=file.relative_to(folder).as_posix(),
                kind=match["kind"],
                name=match["name"],
                head=line.strip(),
                body=_balanced(rest),
                decorators=decorators,
            )
        decorators = decorators + line if line.startswith(("@", "  ", ")")) else ""


def _balanced(text: str) -> str:
    """Return ``text`` up to the end of the line on which every bracket that it opened is closed again."""
    depth, end, quoted = 0, 0, False
    for end, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif not quoted and char in OPENING:
            depth += 1
        elif not quoted and char in CLOSING:
            depth -= 1
        if depth < 0 or (char == "\n" and depth == 0):
            return text[:end].strip()
    return text[: end + 1].strip()
