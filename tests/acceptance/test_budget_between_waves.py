"""A token budget that is used up while `apply --wait` waits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.budgeted_app import TokenBudget
from tests.support.live_tasks import live_tasks

ENTRY = {
    "forEach": {"row": ["a", "b"]},
    "rollout": {"pilot": 1},
    "message": "finishing {{ row }}",
}


def test_what_was_created_before_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_tasks(tmp_path, monkeypatch, capsys, budget=TokenBudget(1000)) as place:
        (tmp_path / "tasks").mkdir()
        document = {"version": 1, "orgName": "acme", "tasks": {"up": ENTRY}}
        (tmp_path / "tasks" / "all.yaml").write_text(json.dumps(document))
        code, out, err = place.run("apply", "--yes", "--wait", "--interval", "100ms")
        assert code == 1
        assert "[TC511]" in err
        (command,) = [line for line in err.splitlines() if "apply --over-budget" in line]
        assert "--wait" in command.split()
        assert "nothing was created" not in out + err
        assert out.count("created up@a") == 1
        assert "1 held: " in out
