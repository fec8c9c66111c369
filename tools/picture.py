"""The picture in the README: a plan and an apply, recorded from a run on the embedded service.

`python -m tools.reference` writes it. Random task IDs are replaced by fixed ones; all
else is what the commands printed. The SVG loads nothing and links to nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

WIDTH = 80
MANIFEST = """\
version: 1
orgName: acme
tasks:
  rotate-iam-keys:
    message: |
      Rotate every IAM access key older than 90 days in the production account.
      Disable the old key once the new one is in use; delete none.
    approvalMode: balanced
    isShared: true
  cost-review-2026-11:
    message: Which ten stacks cost the most in November 2026, and why?
    permissionMode: read-only
"""
COMMANDS = ("plan", "apply --yes", "apply --yes")
THEME = TerminalTheme(
    (22, 27, 34),
    (214, 220, 228),
    [
        *((72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (214, 220, 228)),
    ],
    [
        *((110, 118, 129), (255, 161, 152), (126, 231, 135), (242, 204, 96)),
        *((165, 214, 255), (226, 197, 255), (179, 240, 255), (255, 255, 255)),
    ],
)
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>taskctl plan shows two tasks to create; apply creates them; a second apply does nothing</title>
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 16px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def picture() -> str:
    """The SVG, from a run in a directory of its own."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "tasks").mkdir()
        (Path(folder) / "tasks" / "iam.yaml").write_text(MANIFEST, encoding="utf-8")
        printed = "\n".join(_run(command, folder) for command in COMMANDS)
    numbers, known = count(1), dict[str, str]()

    def fixed(found: re.Match[str]) -> str:
        if found[0] not in known:
            known[found[0]] = f"5f2c1e0a-77b1-4c9e-9d3a-{next(numbers):012x}"
        return known[found[0]]

    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(_UUID.sub(fixed, printed)))
    made = console.export_svg(
        title="taskctl",
        theme=THEME,
        code_format=FORMAT,
        unique_id="taskctl",
        font_aspect_ratio=0.61,
    )
    return "\n".join(line.rstrip() for line in made.splitlines() if line.strip()) + "\n"


def _run(command: str, folder: str) -> str:
    """A command line and its stdout, in color."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL", "PULUMI", "GIT_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *command.split(), "--color", "always"],
        cwd=folder,
        env={**kept, "COLUMNS": str(WIDTH), "TASKCTL_BACKEND": "local", "HOME": folder},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = ended.stdout
    if command.startswith("apply") and "\ncreated " in _plain(shown):
        shown = shown[_start_of_results(shown) :]  # apply prints the plan again before this
    return f"\033[1;34m$\033[0m \033[1mtaskctl {command}\033[0m\n{shown}"


def _plain(text: str) -> str:
    return re.sub(r"\033\[[\d;]*m", "", text)


def _start_of_results(shown: str) -> int:
    lines = shown.splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if _plain(line).startswith("created "))
    return sum(map(len, lines[:first]))
