"""A system without POSIX file locks, such as Windows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_LOCKS = (
    "import sys; sys.modules['fcntl'] = None; from reconciler.__main__ import main; main()"
)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_LOCKS, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    manifest = "version: 1\norgName: acme\ntasks:\n  a: {message: Do it.}\n"
    (tmp_path / "a.tasks.yaml").write_text(manifest, encoding="utf-8")
    return tmp_path


def test_validate_works(folder: Path) -> None:
    assert run(folder, "validate").returncode == 0


@pytest.mark.parametrize("command", ["plan", "apply", "status"])
def test_what_needs_the_state_says_so(folder: Path, command: str) -> None:
    ended = run(folder, command, "--backend", "local")
    assert ended.returncode == 1
    assert "no POSIX file locks" in ended.stderr
    assert "[TC813]" in ended.stderr
    assert "Traceback" not in ended.stderr
