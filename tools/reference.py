"""Writes the generated files: the reference, the README's pictures, schemas.

`python -m tools.reference`; with `--check` it writes nothing and exits 1 if a file is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools import diagrams
from tools.address import mentioning, with_address
from tools.commands_page import commands_pages
from tools.diagnostics_page import diagnostics_page
from tools.limits_page import limits_page
from tools.manifest_page import manifest_page
from tools.messages_file import messages_file
from tools.picture import plan_and_apply, results
from tools.schemas import schema_pages

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "docs/reference/manifest.md": manifest_page,
    "docs/reference/diagnostics.md": diagnostics_page,
    "tests/unit/messages/messages.txt": messages_file,
    "docs/reference/limits.md": limits_page,
    "docs/images/plan-and-apply.svg": plan_and_apply,
    "docs/images/results.svg": results,
    "docs/images/key.svg": diagrams.key,
    "docs/images/rollout.svg": diagrams.rollout,
}


COMMANDS = "docs/reference/commands"


def outdated() -> Iterator[tuple[Path, str]]:
    """The outdated pages, each with its expected content."""
    for path in mentioning():
        text = path.read_text(encoding="utf-8")
        if with_address(text) != text:
            yield path, with_address(text)
    pages = {name: make() for name, make in PAGES.items()}
    pages |= {f"{COMMANDS}/{name}": text for name, text in commands_pages().items()}
    pages |= schema_pages()
    for name, text in pages.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main(arguments: list[str]) -> int:
    found = list(outdated())
    for path, text in found:
        print(path.relative_to(ROOT))
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    return int(bool(found) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
