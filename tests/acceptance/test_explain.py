"""`taskctl explain`: one code, all codes, and an unknown code."""

from __future__ import annotations

import pytest

from reconciler.cli.main import run
from reconciler.messages.catalog import codes


@pytest.mark.parametrize("given", ["TC201", "tc201"])
def test_one_code_is_explained(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", given]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("TC201: Unknown property\n")
    assert "How to fix it: " in said.out
    assert said.err == ""


def test_all_codes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    shown = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert shown == [code.value for code in codes()]


@pytest.mark.parametrize(("given", "near"), [("TC2011", "TC201"), ("unknown-property", None)])
def test_an_unknown_code_is_an_error(
    given: str, near: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", given]) == 1
    said = capsys.readouterr()
    (first, *_) = said.err.splitlines()
    assert first.endswith("[TC803]")
    assert (near or "mean") in first or near is None
    assert said.out == ""
