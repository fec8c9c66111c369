"""Reads the catalog's files: Markdown, one file per area, with a section for each code.

    ## TC601 Title

    Why it matters.

    Fix: how to fix it.

    - summary of the only case
    - [case] summary, on one line
      Detail: lines are joined, unless a line ends with a backslash
        or is indented further.
      $ a command that fixes it

Texts are templates (`messages/template.py`). `[name]: text` above the first section defines a text
that is used in several places, as `[name]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from reconciler.model.codes import Code


class Message(NamedTuple):
    """`summary` is one line; `detail` says why it matters and what to do, and may have several
    lines; `command` is the command that fixes it, ready to paste, or several, one a line. In an
    entry, all three are templates (`messages/template.py`)."""

    summary: str
    detail: str = ""
    command: str = ""

    @property
    def explanation(self) -> str:
        """Everything but the summary; each command is on a separate line, indented."""
        commands = [f"    {line}" for line in self.command.split("\n") if line]
        return "\n".join([*([self.detail] if self.detail else []), *commands])


class Entry(NamedTuple):
    """`cases` are the wordings of a code, by name; most codes have one case, named "". `title`,
    `why` and `fix` are its section of the page that explains the codes, in Markdown."""

    title: str
    why: str
    fix: str
    cases: Mapping[str, Message]


@cache
def sections(name: str) -> dict[str, Entry]:
    """The sections of a file of this package, by the first word of their headings."""
    head, *parts = text_of(name).split("\n## ")
    for found in reversed(re.findall(r"^\[(\w+)\]: (.+(?:\n  .+)*)", head, re.MULTILINE)):
        parts = [part.replace(f"[{found[0]}]", found[1]) for part in parts]
    return {part.split(maxsplit=1)[0]: _entry(part) for part in parts}


def title(name: str) -> str:
    """The heading of a file of this package."""
    return text_of(name).partition("\n")[0].removeprefix("# ")


@cache
def text_of(name: str) -> str:
    """A file of this package; read once."""
    return Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")


def _entry(text: str) -> Entry:
    heading, _, body = text.partition("\n")
    prose, _, listed = body.partition("\n- ")
    why, _, fix = prose.partition("\nFix: ")
    blocks = re.split(r"\n(?=- )", f"- {listed.rstrip()}")
    return Entry(
        heading.partition(" ")[2],
        _joined(why.split("\n")),
        _joined(fix.split("\n")),
        dict(_case(block.split("\n")) for block in blocks),
    )


def _case(lines: list[str]) -> tuple[str, Message]:
    head = lines[0].removeprefix("- ")
    name, _, summary = head[1:].partition("]") if head.startswith("[") else ("", "", head)
    commands = [line[4:] for line in lines if line.startswith("  $ ")]
    detail = _joined(line for line in lines[1:] if not line.startswith("  $ "))
    return name, Message(summary.strip(), detail, "\n".join(commands))


def _joined(lines: Iterable[str]) -> str:
    return "".join(_pieces(lines)).strip()


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    after = ""
    for line in lines:
        text = line.strip()
        if line.startswith("    "):
            yield f"\n  {text}"
            after = "\n"
        elif text:
            yield after + text.removesuffix("\\")
            after = "\n" if text.endswith("\\") else " "


AREAS = {
    "1": ("text",),
    "2": ("schema",),
    "3": ("entries",),
    "4": ("prompts",),
    "5": ("policy",),
    "6": ("state", "shared_state", "saved_plans"),
    "7": ("service", "tasks"),
    "8": ("usage", "importing", "planning", "environment"),
}
"""The first digit of a code, and the files of this package that have its section. The first file is
that of the area, with its title."""


def entry(code: Code) -> Entry:
    """The catalog's entry for a code."""
    for name in AREAS[code.value[2]]:
        if found := sections(name).get(code.value):
            return found
    raise KeyError(code)


def codes() -> list[Code]:
    """All codes, by number."""
    return sorted(Code)


def section(code: Code) -> str:
    """The explanation in Markdown: why it matters, how to fix it, and the messages."""
    found = entry(code)
    messages = "\n".join(f"- {message}" for message in messages_of(code))
    return f"{found.why}\n\nHow to fix it: {found.fix}\n\nMessages:\n\n{messages}\n"


def examples(code: Code) -> list[str]:
    """A wrong and a right manifest, for the most frequent codes."""
    found = text_of("examples").partition(f"\n## {code.value}\n")[2].partition("\n## ")[0]
    return re.findall(r"```yaml\n(.*?)```", found, re.DOTALL)


def messages_of(code: Code) -> list[str]:
    """The summaries of a code; the names of facts are in upper case in place of their values."""
    return list(dict.fromkeys(_outline(case.summary) for case in entry(code).cases.values()))


_OPTIONAL = ("s", "at", "more", "paren", "until")
"""The formats of facts that may be absent; their text includes the separator."""


def _outline(template: str) -> str:
    parts = []
    for text, name, spec, _ in Formatter().parse(template):
        parts.append(text)
        if name is not None and spec not in _OPTIONAL:
            parts.append(name.upper())
    return "".join(parts)
