"""Git's output is kept only up to a limit, because a host chooses it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.system.git import run_git


def test_only_the_start_of_the_errors_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a hook of a host that rejects a push."""
    tool = tmp_path / "git"
    tool.write_text("#!/bin/sh\necho first >&2\nhead -c 20000000 /dev/zero >&2\necho out\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    done = run_git(tmp_path, "push", env=os.environ)
    assert (done.returncode, done.stdout) == (1, b"out\n")
    assert done.stderr.startswith(b"first\n")
    assert len(done.stderr) < 100_000
