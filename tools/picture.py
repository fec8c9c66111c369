"""The pictures in the README, recorded from commands on the embedded service.

`python -m tools.reference` writes them. Random task IDs are replaced by fixed IDs; all else is what
the commands printed. An SVG loads nothing and links to nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from io import StringIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

WIDTH = 80
ROOT = Path(__file__).parents[1]
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
<title>{about}</title>
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


def plan_and_apply() -> str:
    """The SVG of an apply, which shows its plan, and a second apply."""
    return _picture(
        manifest_of("docs/getting-started.md"),
        ["apply --yes --backend local"] * 2,
        "taskctl apply shows two tasks to create, and creates them; a second apply does nothing",
    )


def results() -> str:
    """The SVG of a table of results."""
    return _picture(
        manifest_of("docs/results.md"),
        ["results --backend local"],
        "taskctl results shows the pull request and the answer of each task",
        before="apply --yes --wait --interval 100ms --backend local",
    )


def manifest_of(page: str) -> str:
    """The first manifest of a page, as a reader pastes it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition("```yaml\n")[2].partition("```")[0]


def _picture(manifest: str, commands: Sequence[str], about: str, before: str = "") -> str:
    """Runs commands in a new directory, after a command that is not shown."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "tasks").mkdir()
        name = manifest.partition("\n")[0].removeprefix("# ")
        (Path(folder) / name).write_text(manifest, encoding="utf-8")
        if before:
            _taskctl(before, folder)
        printed = "\n".join(_run(command, folder) for command in commands)
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
        code_format=FORMAT.replace("{about}", about),
        unique_id="taskctl",
        font_aspect_ratio=0.61,
    )
    return "\n".join(line.rstrip() for line in made.splitlines() if line.strip()) + "\n"


def _run(command: str, folder: str) -> str:
    """A command line and its stdout, in color."""
    prompt = f"\033[1;34m$\033[0m \033[1mtaskctl {command}\033[0m\n"
    return prompt + _taskctl(command, folder)


def _taskctl(command: str, folder: str) -> str:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL", "PULUMI", "GIT_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *command.split(), "--color", "always"],
        cwd=folder,
        env={**kept, "COLUMNS": str(WIDTH), "HOME": folder},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,  # exit code 1 if a task is unmet
    )
    if not ended.stdout:
        raise RuntimeError(ended.stderr)
    return ended.stdout
