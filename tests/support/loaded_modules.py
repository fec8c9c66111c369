"""The modules that a run imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def loaded(folder: Path, *arguments: str, code: int = 0) -> set[str]:
    """The modules that are loaded when `taskctl ARGUMENTS` ends, with this exit code."""
    program = (
        "import sys\nfrom reconciler.cli.main import run\n"
        f"code = run({list(arguments)!r})\n"
        "sys.stderr.write('\\n'.join(sys.modules)); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return set(ended.stderr.splitlines())
