"""The policy on plans in docs/policy.md, evaluated by OPA. Run from the root:
`python -m tests.tools_opa OPA`. `make test-tools` runs this.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.doc_blocks import blocks, environment, shell

PAGE = "docs/policy.md"


def evaluated(opa: Path, folder: Path, file: str, tasks: dict[str, Any]) -> tuple[int, str]:
    """The exit code and output of the page's commands, on a plan for these tasks."""
    rego, script = (
        next(block.text for block in blocks(PAGE) if block.language == language)
        for language in ("rego", "shell")
    )
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in (
        ("policy/plan.rego", rego),
        (file, json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    env = environment(folder, TASKCTL_BACKEND="local")
    env["PATH"] = f"{opa.parent}{os.pathsep}{env['PATH']}"
    ended = shell(script, folder, env)
    return ended.returncode, ended.stdout + ended.stderr


def main(opa: Path, folder: Path) -> None:
    good = {"message": "Rotate keys in production.", "isShared": True}
    auto = {"message": "Clean up.", "approvalMode": "auto"}
    code, said = evaluated(opa, folder, "tasks/a.yaml", {"good": good})
    assert code == 0, said
    assert "not allowed" not in said
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["tasks"][0]["inputs"]["message"]["content"] == good["message"]
    code, said = evaluated(opa, folder, "tasks/a.yaml", {"auto": auto})
    assert code == 1, said
    assert "tasks/a.yaml:1: auto: only the platform team creates unattended tasks" in said
    assert evaluated(opa, folder, "tasks/platform/a.yaml", {"auto": auto})[0] == 0
    many = {f"k{number}": {"message": f"Do {number}."} for number in range(6)}
    code, said = evaluated(opa, folder, "tasks/a.yaml", many)
    assert code == 1, said
    assert "6 tasks in one plan; at most 5 are allowed" in said
    code, said = evaluated(opa, folder, "tasks/a.yaml", {"bad": {}})
    assert code == 1, said  # taskctl itself fails


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(sys.argv[1]).resolve(), Path(scratch) / "repository")
