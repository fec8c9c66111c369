"""The repository's address, which `[project.urls]` declares, in the files that mention it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MENTIONED_IN = (
    "README.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/schemastore.json",
    "examples/ci/*",
    "reconciler/templates/*.yml",
    "reconciler/model/address.py",
    "tools/release.py",
    "tests/tools.sh",
)
_MENTION = re.compile(
    r"(?P<before>(?:github|githubusercontent|gitlab\.example)\.com/|(?<![\w./~$-]))"
    r"(?!refs/)[A-Za-z0-9][\w.-]*/taskctl\b(?!/state|\.(?:sarif|xml))"
)


def repository() -> str:
    """`OWNER/NAME`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    url: str = project["urls"]["Repository"]
    return url.removeprefix("https://github.com/")


def with_address(text: str) -> str:
    """The text with the repository's address in each mention."""
    return _MENTION.sub(lambda found: f"{found['before']}{repository()}", text)


def mentioning() -> Iterator[Path]:
    """The files that mention the address."""
    for pattern in MENTIONED_IN:
        yield from sorted(path for path in ROOT.glob(pattern) if path.is_file())
