"""The code blocks of the documents, so that tests can run them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
SERVED = "127.0.0.1:8765"
"""The address of `taskctl serve`, which pages show."""

_DIFFERS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (_PORT := re.compile(r"\b127\.0\.0\.1:\d+"), SERVED),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"[ (]+\d+s\b(?: +[\d,]+ +(?:\d+%|-))?"), " AGE, TOKENS"),
    (re.compile(r" *\b\d{1,3},\d{3}\b"), " TOKENS"),
    (re.compile(r"\bapproval-\d+"), "approval-ID"),
)


@dataclass(frozen=True)
class Block:
    """`language` is the word after the fence, `heading` the last `## ` above it."""

    language: str
    text: str
    heading: str


def blocks(document: str) -> Iterator[Block]:
    """The code blocks of a document of the repository, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    headings = [
        (found.start(), found[1]) for found in re.finditer(r"^## (.*)$", text, re.MULTILINE)
    ]
    for found in _FENCE.finditer(text):
        above = [heading for start, heading in headings if start < found.start()]
        yield Block(found[2], dedent(found[3]), above[-1] if above else "")


def commands(console: str) -> Iterator[tuple[str, str]]:
    """The commands of a `console` block (after `$ `), each with its output."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def without_ids(text: str) -> str:
    """Replaces what differs each time: task IDs, ports, times, and the spaces after them."""
    for found, instead in _DIFFERS:
        text = found.sub(instead, text)
    return text


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a new user, with `taskctl` on PATH."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKCTL", "PULUMI", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "HOME": str(home), "COLUMNS": "80", "NO_COLOR": "1", **more}


def shell(
    script: str, folder: Path, env: dict[str, str], program: str = "sh"
) -> subprocess.CompletedProcess[str]:
    """Runs a script with `sh -e`."""
    return subprocess.run(
        [program, "-e", "-c", script],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


RUN, NOT_RUN = ("console", "sh"), "shell"
"""Languages of blocks: `console` shows commands with their output, `sh` is a script; both are run.
`shell` blocks are not run, since they install packages or push; a test lists them."""

_FILE = re.compile(r"# ([\w./-]+\.ya?ml)(?::.*)?\n")


def pages() -> list[str]:
    """The README and every page of docs/, as paths from the root."""
    docs = (ROOT / "docs").rglob("*.md")
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in docs)]


def write_file(block: Block, folder: Path) -> None:
    """Writes a YAML block that starts with the name of its file."""
    named = _FILE.match(block.text)
    if block.language == "yaml" and named is not None:
        path = folder / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


def shows_what_is_printed(page: str, block: Block, folder: Path, env: dict[str, str]) -> None:
    """Runs a `console` block, and compares its output with that of the page."""
    for command, shown in commands(block.text):
        ended = shell(command, folder, env)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        if without_ids(ended.stdout) == without_ids(shown):
            continue
        assert os.environ.get("TASKCTL_WRITE_DOCS"), f"{command}\n{ended.stdout}"
        _rewrite(ROOT / page, f"$ {command}\n", shown, ended.stdout)


def _rewrite(path: Path, command: str, shown: str, printed: str) -> None:
    """The first matching block: those before it have been rewritten already."""
    text = path.read_text(encoding="utf-8")
    found = re.search(re.escape(command + shown) + r"(?=\s*```|\$ )", text)
    assert found is not None, command
    printed = _PORT.sub(SERVED, printed)
    path.write_text(text[: found.start()] + command + printed + text[found.end() :], "utf-8")


def at_terminal(script: str, folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Runs a script for a user who answers yes: its exit code, its stdout, and the other output of
    the terminal."""
    ours, theirs = pty.openpty()
    os.write(ours, b"yes\n" * 4)
    process = subprocess.Popen(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    shown: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(ours, shown), daemon=True)
    reader.start()
    try:
        out, _ = process.communicate()
    finally:
        process.kill()
        reader.join()
        os.close(ours)
    return process.returncode, out, b"".join(shown).decode(errors="replace")


def _drain(descriptor: int, shown: list[bytes]) -> None:
    with suppress(OSError):  # on Linux, the other end is closed
        while data := os.read(descriptor, 4096):
            shown.append(data)
