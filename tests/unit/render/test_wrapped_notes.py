"""Notes and messages on a terminal: wrapped between words, commands left whole."""

from __future__ import annotations

import pytest

from reconciler.render import cells

TEXT = """error: tasks.one.message: this message is longer than a line of the terminal [TC401]
    It has a detail that is also too long for one line, and is therefore wrapped between words.
    taskctl apply --replace one --backend http://127.0.0.1:8080 -C /a/long/directory --state x.json
    https://app.pulumi.com/acme/neo/tasks/0123456789012345678901234567890123456789012345678901"""


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_words_and_commands_are_never_split(columns: int) -> None:
    rows = cells.wrap_sentences(TEXT, columns).split("\n")
    assert " ".join(" ".join(rows).split()) == " ".join(TEXT.split())
    (command,) = [row for row in rows if "taskctl" in row]
    assert command == TEXT.split("\n")[2]
    for row in rows:
        assert cells.width(row) <= columns or row == command or len(row.split()) == 1
    assert all(row.startswith("    ") for row in rows if "too" in row or "wrapped" in row)
