"""Each library does what it is known for, on the main path: with its result emptied, the same
command line gives another result."""

from __future__ import annotations

import deepdiff
import pytest

from tests.support.in_process import InProcess

SETTINGS = {"message": "do it", "approvalMode": "manual"}


@pytest.mark.parametrize("side", ["manifest", "service"])
def test_deepdiff_compares_the_manifest_with_the_record_and_the_service(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    here.sandbox.write({"a": SETTINGS, "b": SETTINGS})
    assert here.run("apply").code == 0
    if side == "manifest":
        here.sandbox.write({"a": {**SETTINGS, "approvalMode": "auto"}, "b": SETTINGS})
    else:
        here.server.world.tasks[0].shown["approvalMode"] = "auto"
    compare = ("plan", "--update", "--detailed-exitcode")
    found = here.run(*compare)
    assert (found.code, found.document["summary"]["update"]) == (2, 1)
    assert [c["origin"] for t in found.document["tasks"] for c in t["diff"]] == [
        "manifest" if side == "manifest" else "remote"
    ]
    monkeypatch.setattr(deepdiff, "DeepDiff", lambda *_, **__: {})
    emptied = here.run(*compare)
    assert (emptied.code, emptied.document["summary"]["update"]) == (0, 0)


def test_deepdiff_is_not_called_for_tasks_without_a_difference(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.sandbox.write({"a": SETTINGS})
    assert here.run("apply").code == 0

    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(deepdiff, "DeepDiff", fail)
    assert here.run("plan").actions() == {"a": "unchanged"}
