"""Rows that are updated in place, on a terminal of a given size."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from io import StringIO

import pytest

from reconciler.cli.console.live import Screen
from reconciler.render.cells import without_markup
from reconciler.render.style import Palette

RED = Palette(on=True).red


class Terminal(StringIO):
    """Keeps what is written; its size is that of a real terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = pty.openpty()
        self.resize(20, 6)

    def fileno(self) -> int:
        return self.theirs

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def written(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    os.close(made.ours)
    os.close(made.theirs)


def test_rows_overwrite_the_previous_ones(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.show(["one", "two"])
    assert terminal.written() == "\rone\x1b[K\ntwo\x1b[K\n\x1b[J"
    screen.show(["one", "two"])
    assert terminal.written() == ""
    screen.show(["three"])
    assert terminal.written() == "\x1b[2A\rthree\x1b[K\n\x1b[J"
    screen.clear()
    assert terminal.written() == "\x1b[1A\r\x1b[J"


def test_after_a_resize_drawing_starts_at_the_top(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.show(["x" * 15])
    terminal.written()
    terminal.resize(10, 6)
    screen.show(["x" * 15])
    assert terminal.written() == "\x1b[H" + "x" * 9 + "…\x1b[K\n\x1b[J"


def test_a_row_is_truncated_with_its_color(terminal: Terminal) -> None:
    screen = Screen(terminal)
    screen.show([f"key {RED('failed')} {'x' * 30}", f"{'界' * 12}{RED('y')}"])
    first, second = terminal.written().split("\x1b[K\n")[:2]
    assert first == f"\rkey {RED('failed')} {'x' * 8}…"
    assert without_markup(second) == "界" * 9 + "…"


@pytest.mark.parametrize("lines", range(1, 12))
def test_rows_that_do_not_fit_are_counted(terminal: Terminal, lines: int) -> None:
    terminal.resize(20, lines)
    screen = Screen(terminal)
    screen.show(["head", *map(str, range(7)), "", "sum"])
    rows = terminal.written().split("\x1b[K\n")[:-1]
    assert len(rows) <= max(1, lines - 1)
    assert rows[-1].lstrip("\r") == "sum"
    if 5 <= lines < 11:
        shown = sum(row.isdigit() for row in rows)
        assert f"... ({7 - shown} more)" in rows
