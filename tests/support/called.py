"""A command line, called in this process: as another process would run it, without the start of an
interpreter. Tests of signals, kills and simultaneous commands start processes instead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

from reconciler.cli.main import run


def call(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    function: Callable[[Sequence[str]], int] = run,
) -> tuple[int, str, str]:
    """The exit code, stdout and stderr. `env` is the whole environment, and stdin is empty. Only
    for the main thread."""
    out, err = _stream(), _stream()
    with (
        chdir(folder),
        patch.dict("os.environ", env, clear=True),
        patch.object(sys, "stdin", _stream()),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
    ):
        code = function(words)
    return code, _text(out), _text(err)


def _stream() -> TextIOWrapper:
    return TextIOWrapper(BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)


def _text(stream: TextIOWrapper) -> str:
    stream.flush()
    data = stream.buffer
    assert isinstance(data, BytesIO)
    return data.getvalue().decode()
