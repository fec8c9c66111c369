"""Runs the command that a person requests with the variables of a GitLab pipeline: TASKCTL_COMMAND,
TASKCTL_TASKS, TASKCTL_ID, TASKCTL_TEXT and TASKCTL_MAX_CREATES.

They are data: none is an option, a PATH or part of a script. Runs isolated (`python3 -I`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "action"))

from requested import ANSWERS, InputError, Requested

NAMES = ("command", "tasks", "id", "text", "max-creates")


def main(env: Mapping[str, str]) -> int:
    """The exit code."""
    given = {name: env.get(f"TASKCTL_{name.upper().replace('-', '_')}", "") for name in NAMES}
    inner = {name: value for name, value in env.items() if name != "TASKCTL_MAX_CREATES"}
    try:
        requested = Requested.of_inputs(given)
        for name in requested.recorded:
            _check_recorded(name, inner)
    except InputError as problem:
        print(str(problem).replace("the input ", "the variable for "), file=sys.stderr)
        return 1
    text = requested.text if requested.command == "say" else ""
    quiet = ["-q"] if requested.command in ANSWERS else []  # keeps what agents wrote out of the log
    words = ["taskctl", *quiet, *requested.words]
    return subprocess.run(words, env=inner, input=text.encode(), check=False).returncode


def _check_recorded(name: str, env: Mapping[str, str]) -> None:
    """InputError unless it names a recorded task: a file would select more of them."""
    command = ["taskctl", "state", "list", "--format=json", "--", name]
    listed = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False)
    tasks = json.loads(listed.stdout)["tasks"] if not listed.returncode else ()
    if name not in [f"{task['orgName']}/{task['key']}" for task in tasks]:
        raise InputError(f"no task in the state has the key {name}")


if __name__ == "__main__":
    sys.exit(main(os.environ))
