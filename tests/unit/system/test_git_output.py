"""Git's output is kept only up to a limit, because a host chooses it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.state.engines import Unsure
from reconciler.state.engines.git_clone import run_in
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


def test_output_that_is_too_long_is_not_taken_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the refs of a host: what was cut off must not count as absent."""
    tool = tmp_path / "git"
    tool.write_text("#!/bin/sh\nhead -c 200 /dev/zero\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert len(run_git(tmp_path, "ls-remote", env=os.environ, most=200).stdout) == 200
    with pytest.raises(OSError, match="more than 199 bytes"):
        run_git(tmp_path, "ls-remote", env=os.environ, most=199)
    with pytest.raises(Unsure):
        run_in(tmp_path, "ls-remote", env=os.environ, most=199)
