"""Runs the command that a person requests with the inputs of a GitLab pipeline, which are in
RUN_COMMAND, RUN_TASKS, RUN_ID, RUN_TEXT and RUN_MAX_CREATES.

    python3 -I script/run_requested.py [--preview FILE]

A preview shows the plan, or what the command is about, and writes a digest of it to FILE as
PLAN_DIGEST. The run does exactly that, or nothing. The inputs are data: none is an option, a PATH
or part of a script.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "action"))

from about import About, ref_of
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
        if arguments:
            return _preview(requested, Path(arguments[-1]), env)
        return _run(requested, env.get("PLAN_DIGEST", ""))
    except InputError as problem:
        print(problem, file=sys.stderr)
        return 1


def _run(requested: Requested, digest: str) -> int:
    """Does what the preview with this digest showed. Raises InputError if it would be something
    else."""
    if requested.has_plan:
        if not digest:
            raise InputError("the job show has no plan")
        code = _taskctl("apply", "--yes", *requested.apply_words, f"--expect-plan={digest}")
        return 0 if code == WAITING else code
    if requested.continues or requested.command in (*ANSWERS, "accept"):
        about = _about(requested)
        about.check(digest)
    if requested.command not in ANSWERS:
        return _taskctl(*requested.state_words)
    text = requested.text if requested.command == "say" else ""
    # -q keeps what agents wrote out of the log
    codes = [_taskctl("-q", *each, said=text) for each in requested.answer_words(about.refs)]
    return max(codes)


def _preview(requested: Requested, path: Path, env: Mapping[str, str]) -> int:
    """Shows what the command will do. Writes its digest, or nothing, to `path`."""
    print(" ".join([requested.command, *requested.tasks, requested.id]).strip(), flush=True)
    path.touch()
    if requested.command in ANSWERS or requested.continues:
        about = _about(requested)
        for line in _lines(about, is_shown=env.get("RUN_SHOW_TEXT") == "true"):
            print(line)
        path.write_text(f"PLAN_DIGEST={about.digest}\n")
    elif requested.preview_words:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "plan.json")
            if code := _taskctl(*requested.preview_words, f"--report=json={report}"):
                return code
            plan = json.loads(report.read_text(encoding="utf-8"))
        digest = plan["digest"] if requested.has_plan else About.of(requested, plan).digest
        path.write_text(f"PLAN_DIGEST={digest}\n")
    return 0


def _about(requested: Requested) -> About:
    """The tasks of the command. Raises InputError if they cannot be read."""
    command = ["taskctl", "--format=json", *requested.about_words]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    document = json.loads(ended.stdout or "{}")
    if ended.returncode or "tasks" not in document:
        for problem in document.get("diagnostics", ()):
            print(_visible(f"{problem['summary']} [{problem['code']}]"), file=sys.stderr)
        raise InputError("the tasks could not be read")
    return About.of(requested, document)


def _lines(about: About, *, is_shown: bool) -> Iterator[str]:
    """The tasks, the question and the answer. Texts only if `is_shown`."""
    if about.lost:
        yield from _continued(about)
        return
    for task in about.tasks:
        yield f"{ref_of(task)}: {task['status']}"
    if about.request is not None:
        yield f"Request {about.requested.id} for {about.wants}:"
    for name, text in (("question", about.question), ("answer", about.requested.text)):
        if text:
            yield _visible(text) if is_shown else f"({len(text):,} characters of the {name})"


def _continued(about: About) -> Iterator[str]:
    """The tasks of a lost state, and the keys without one."""
    for task in about.tasks:
        login = task["createdBy"] or "an unknown user"
        yield _visible(f"{ref_of(task)}: task {task['taskId']}, created by {login}")
    missing, unknown = about.without_task
    for ref in missing:
        yield _visible(f"{ref} has no task: the next apply creates it")
    for org_name in unknown:
        yield _visible(f"The token cannot list the tasks of {org_name}")


def _taskctl(*words: str, said: str = "") -> int:
    return subprocess.run(["taskctl", *words], input=said.encode(), check=False).returncode


def _visible(text: str) -> str:
    """The text with escapes for control characters and others that a log does not show."""
    shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return "".join(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
