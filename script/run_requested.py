"""Runs the command that a person requests with the inputs of a GitLab pipeline, which are in
RUN_COMMAND, RUN_TASKS, RUN_ID, RUN_TEXT and RUN_MAX_CREATES.

    python3 -I script/run_requested.py [--preview FILE]

A preview shows the plan, whose digest goes to FILE as PLAN_DIGEST, or what is to be sent. Then
exactly that plan is applied. The inputs are data: none is an option, a PATH or part of a script.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "action"))

from requested import ANSWERS, InputError, Requested

WAITING = 3  # only merges and people remain: nothing has failed
NAMES = ("command", "tasks", "id", "text", "max-creates")
BOT = re.compile(r"(project|group)_\d+_bot|service_account_")


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """The exit code."""
    given = {name: env.get(f"RUN_{name.upper().replace('-', '_')}", "") for name in NAMES}
    try:
        if BOT.match(env.get("GITLAB_USER_LOGIN", "")):
            raise InputError("only a person may start this job, not a bot")
        requested = Requested.of_inputs(given)
        for name in requested.recorded:
            _check_recorded(name)
        if arguments:
            return _preview(requested, Path(arguments[-1]), env)
        digest = env.get("PLAN_DIGEST", "")
        if requested.has_plan and not digest:
            raise InputError("the job show has no plan")
    except InputError as problem:
        print(problem, file=sys.stderr)
        return 1
    text = requested.text if requested.command == "say" else ""
    quiet = ["-q"] if requested.command in ANSWERS else []  # keeps what agents wrote out of the log
    expected = [f"--expect-plan={digest}"] if requested.has_plan else []
    words = ["taskctl", *quiet, *requested.words, *expected]
    code = subprocess.run(words, input=text.encode(), check=False).returncode
    return 0 if code == WAITING else code


def _preview(requested: Requested, path: Path, env: Mapping[str, str]) -> int:
    """Shows what the command will do. Writes the digest of its plan, or nothing, to `path`."""
    print(" ".join([requested.command, *requested.tasks, requested.id]).strip(), flush=True)
    path.touch()
    if requested.text:
        is_shown = env.get("RUN_SHOW_TEXT") == "true"
        print(
            _visible(requested.text)
            if is_shown
            else f"({len(requested.text):,} characters of text)"
        )
    if not requested.preview_words:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "plan.json")
        words = ["taskctl", *requested.preview_words, f"--report=json={report}"]
        code = subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode
        if not code:
            path.write_text(f"PLAN_DIGEST={json.loads(report.read_text())['digest']}\n")
    return code


def _visible(text: str) -> str:
    """The text with escapes for control characters and others that a log does not show."""
    shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return "".join(shown)


def _check_recorded(name: str) -> None:
    """Raises InputError unless it names a recorded task: a file would select several tasks."""
    command = ["taskctl", "state", "list", "--format=json", "--", name]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    tasks = json.loads(listed.stdout)["tasks"] if not listed.returncode else ()
    if name not in [f"{task['orgName']}/{task['key']}" for task in tasks]:
        raise InputError(f"no task in the state has the key {name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
