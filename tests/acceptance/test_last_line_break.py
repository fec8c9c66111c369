"""The line breaks at the end of a prompt do not make it another one."""

from __future__ import annotations

import pytest

from tests.support.in_process import InProcess

HEAD = "version: 1\norgName: acme\ntasks:\n  k:\n    message: "


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("|\n      do it", "|\n      do it\n"),
        ("|\n      do it\n", "|-\n      do it\n"),
        ("|+\n      do it\n\n\n", "do it"),
        ("{contentFile: one.md}", "{contentFile: two.md}"),
    ],
)
def test_a_last_line_break_is_no_change(here: InProcess, before: str, after: str) -> None:
    file = here.sandbox.folder / "tasks/all.yaml"
    (file.parent / "one.md").write_text("do it")
    (file.parent / "two.md").write_text("do it\r\n")
    for text in (before, after, before):
        file.write_text(HEAD + text)
        ended = here.run("apply")
        assert (ended.code, len(here.server.posts)) == (0, 1)
        assert here.run("plan").actions() == {"k": "unchanged"}
    file.write_text(HEAD + "|\n      do that\n")
    assert here.run("plan").actions() == {"k": "changed"}
