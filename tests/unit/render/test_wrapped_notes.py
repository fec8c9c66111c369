"""Rows on a terminal: notes are wrapped between words, commands left whole, tables shortened."""

from __future__ import annotations

import pytest

from reconciler.render import cells

TEXT = """error: tasks.one.message: this message is longer than a line of the terminal [TC401]
    It has a detail that is also too long for one line, and is therefore wrapped between words.
    taskctl apply --replace one --backend http://127.0.0.1:8080 -C /a/long/directory --state x.json
    gh workflow run taskctl-run.yml -f command=approve -f tasks=acme/one -f id=approval-1
    https://app.pulumi.com/acme/neo/tasks/0123456789012345678901234567890123456789012345678901"""


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_words_and_commands_are_never_split(columns: int) -> None:
    rows = cells.wrap_sentences(TEXT, columns).split("\n")
    assert " ".join(" ".join(rows).split()) == " ".join(TEXT.split())
    commands = [row for row in rows if "taskctl" in row]
    assert commands == TEXT.split("\n")[2:4]
    for row in rows:
        assert cells.width(row) <= columns or row in commands or len(row.split()) == 1
    assert all(row.startswith("    ") for row in rows if "too" in row or "wrapped" in row)


def test_code_that_fits_exactly_is_not_split() -> None:
    code = "`taskctl apply --yes`"
    assert cells.wrap_words(f"Run {code} again.", len(code)) == ["Run", code, "again."]


def test_a_key_far_longer_than_most_moves_only_its_own_row() -> None:
    long = "x" * 128
    rows = cells.table_rows([["KEY", "STATUS"], [long, "done"], ["a", "done"], ["東京", "failed"]])
    assert rows == ["KEY   STATUS", f"{long}  done", "a     done", "東京  failed"]
    rows = cells.table_rows([["KEY", "STATUS"], [long, "done"], [long[2:], "done"]])
    assert {row.index(" done") for row in rows[1:]} == {128 + 1}
