"""Runs taskctl for the GitHub Action: job summary, outputs, annotations, and one comment.

Runs isolated in the virtual environment of taskctl: Python imports modules only from there and from
this directory. Inputs arrive as environment variables (`INPUT_*`), never as part of a script. A
comment that cannot be written is a warning and never fails the job.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from about import About, ref_of
from github import PROBLEMS, GitHub
from requested import ANSWERS, InputError, Requested

from reconciler.model.canonical import visible

TASKCTL = (sys.executable, "-I", "-m", "reconciler")  # beside it, in its virtual environment
COMMANDS = ("validate", "plan", "apply", "results", "status", "run")
MOST = 50  # tasks of an answer
SHOWN = 5  # lines about keys, above the plan, which must fit into the same comment
WAITING = 3  # only merges and people remain
FOR_OTHERS = "TC721"  # only another user may apply: usual for pull requests
UNDONE = ("held", "failed", "unresolved", "notStarted")
_NOT_SHOWN = "The {} ({:,} characters) is not shown: the input `show-text` is not `true`."


def _plain(text: str, more: str = "") -> str:
    """Removes characters that could end a code span, except those in `more`."""
    return re.sub(rf"[^\w ./@,:{re.escape(more)}-]", "?", text)


def _code(text: str) -> str:
    """Indented, with escapes for invisible characters, such as instructions in tag characters."""
    lines = visible(text.replace("\r\n", "\n")).split("\n")
    return "\n".join(f"    {line}" for line in lines)


def _is_plan(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".yaml", ".yml")


def _as_lines(outputs: Mapping[str, object]) -> str:
    """Outputs, as the file GITHUB_OUTPUT has them."""
    end = secrets.token_hex(8)
    text = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in outputs.items()}
    return "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in text.items())


def _outputs_of(about: About) -> dict[str, object]:
    return {"has-changes": about.has_changes, "plan-digest": about.digest}


def _parts(about: About, *, is_shown: bool) -> Iterator[str]:
    """The tasks, the question and the answer, as Markdown. Texts only if `is_shown`."""
    for task in about.tasks[:MOST]:
        name = f"`{_plain(ref_of(task))}`"
        name = f"[{name}]({task['url']})" if task["url"] else name
        yield f"{name} {_plain(task['status'])}"
    if len(about.tasks) > MOST:
        yield f"and {len(about.tasks) - MOST:,} more"
    if about.request is not None:
        yield f"Request `{_plain(about.requested.id)}` for {about.wants}:"
    for name, text in (("question", about.question), ("answer", about.requested.text)):
        if text:
            yield _code(text) if is_shown else _NOT_SHOWN.format(name, len(text))


def _continued(about: About) -> Iterator[str]:
    """The tasks of a lost state, as Markdown, and the keys without one."""
    tasks, (missing, unknown) = about.tasks, about.without_task
    for task in tasks[:MOST]:
        name, login = _plain(ref_of(task)), _plain(task["createdBy"] or "an unknown user")
        yield f"\n`{name}`: task `{_plain(task['taskId'])}`, created by `{login}`\n"
    for ref in missing[:MOST]:
        yield f"\n`{_plain(ref)}` has no task: the next apply creates it\n"
    for org_name in unknown[:MOST]:
        yield f"\nThe token cannot list the tasks of `{_plain(org_name)}`\n"
    if more := len(tasks[MOST:]) + len(missing[MOST:]):
        yield f"\nand {more:,} more\n"


def tell(kind: str, text: str) -> None:
    """Prints a workflow command; its text is escaped."""
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(sign, code)
    print(f"::{kind} title=taskctl::{text}", flush=True)


class Action:
    """One step. `env` has the variables of GitHub and `action.yml`; reports go to `folder`."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._env, self._folder = env, folder
        self._command = env.get("INPUT_COMMAND") or "plan"
        lines = env.get("INPUT_PATH", "").splitlines()
        self._paths = [line.strip() for line in lines if line.strip()]
        self._where = os.path.normpath(env.get("INPUT_WORKING_DIRECTORY") or ".")
        self._github = GitHub(env, env.get("INPUT_GITHUB_TOKEN", ""))
        self._plan_file = folder / "plan.taskctl"
        self._state = env.get("INPUT_STATE", "")
        if self._state and not re.match(r"[a-z0-9]+:", self._state):
            raise InputError(
                "the input state must be the address of a shared state, such as git:origin"
            )
        if self._command not in COMMANDS:
            raise InputError(f"the input command must be one of {', '.join(COMMANDS)}")
        self._issue = env.get("INPUT_ISSUE_NUMBER") or ""
        if self._issue and not re.fullmatch(r"[1-9][0-9]{0,9}", self._issue):
            raise InputError("the input issue-number must be the number of an issue")
        self._is_preview = env.get("INPUT_PREVIEW") == "true"
        self._requested = None
        if self._command == "run":
            self._requested = self._request()
        if not Path(self._where).is_dir():
            raise InputError(f"the input working-directory is not a directory: {self._where}")

    def _request(self) -> Requested:
        """The requested command. `preview` shows its plan, which is then applied."""
        found = Requested.of(self._github.event(), self._env)
        if self._is_preview and found.preview_words:
            self._command = "plan"
        elif found.has_plan:
            self._command = "apply"
            if not self._env.get("INPUT_EXPECT_PLAN"):
                raise InputError("the input expect-plan is required: the digest of the plan")
        return found

    def run(self) -> int:
        """The exit code of the step."""
        if self._requested is not None:
            self._put("GITHUB_STEP_SUMMARY", f"{self._title(self._requested)}\n\n")
            if self._command == "run":
                return self._run_requested(self._requested)
        if self._command == "status":
            return self._status()
        code = self._taskctl()
        report = self._read("report.json")
        if self._command != "results":  # its annotations have texts of agents
            print(self._read("report.github"), end="", flush=True)
        document = json.loads(report) if report else {}
        outputs = self._outputs(document)
        if self._requested is not None and outputs and not self._requested.has_plan:
            outputs |= _outputs_of(About.of(self._requested, document))
        self._put("GITHUB_OUTPUT", _as_lines(outputs))
        shown = self._read("report.md")
        if shown:
            body = f"{self._heading()}{self._existed(document)}{shown}"
            self._put("GITHUB_STEP_SUMMARY", f"{body}\n")
            is_commented = self._command != "validate" and self._requested is None
            if self._env.get("INPUT_COMMENT") == "true" and is_commented:
                self._comment(body)
        if self._requested is not None and code == WAITING:
            return 0  # nothing has failed; a red job would say so
        return 0 if code == 2 and self._command == "plan" else code

    def _status(self) -> int:
        """Names each task that has failed and that nobody has decided about, and its command. Only
        then the step fails: not for tasks that run or wait. Shows no text of an agent."""
        more = shlex.split(self._env.get("INPUT_ARGS", ""))
        code, document = self._json("status", "--exit-code", *more, "--", *self._paths)
        for task in document.get("failed", ()):
            name, command = f"{_plain(ref_of(task))}: {_plain(task['status'])}", task["command"]
            line = shlex.join(map(visible, command)) if command else ""
            tell("error", f"{name}\n{line}".rstrip())
            self._put(
                "GITHUB_STEP_SUMMARY", f"{name}\n\n{_code(line)}\n\n" if line else f"{name}\n\n"
            )
        return int(code == 1)

    @staticmethod
    def _title(requested: Requested) -> str:
        words = [requested.command, *requested.tasks]
        print(" ".join(words), flush=True)
        named = " ".join(f"`{_plain(name, more='*')}`" for name in requested.tasks)
        return f"**{requested.command}** {named}".rstrip()

    def _run_requested(self, requested: Requested) -> int:
        """Edits the state or answers tasks, or shows what would be sent."""
        if requested.command in ANSWERS:
            return self._answer(requested)
        if requested.id:
            named = "State" if requested.command == "init" else "Task"
            self._put("GITHUB_STEP_SUMMARY", f"{named} `{_plain(requested.id)}`\n")
        outputs: dict[str, object] = {"has-changes": True}
        if requested.command == "accept" or requested.continues:
            about = self._read_about(requested)
            if about is None:
                return 1
            if requested.continues:
                self._put("GITHUB_STEP_SUMMARY", "".join(_continued(about)))
            outputs = _outputs_of(about)
        if self._is_preview:
            self._put("GITHUB_OUTPUT", _as_lines(outputs))
            return 0
        done, document = self._json(*requested.state_words, quiet=requested.command != "init")
        for edit in document.get("edits", ()):
            print(f"{edit['orgName']}/{edit['key']}: {edit['result']}", flush=True)
        if requested.command == "init":
            print(document.get("result", ""), flush=True)
        return done

    def _answer(self, requested: Requested) -> int:
        """Shows what an answer is about. Sends it unless this is a preview."""
        about = self._read_about(requested)
        if about is None:
            return 1
        if self._is_preview:
            self._put("GITHUB_OUTPUT", _as_lines(_outputs_of(about)))
        is_shown = self._env.get("INPUT_SHOW_TEXT") == "true"
        self._put("GITHUB_STEP_SUMMARY", "\n\n".join(_parts(about, is_shown=is_shown)) + "\n")
        if self._is_preview:
            return 0
        code, text = 0, requested.text if requested.command == "say" else ""
        for words in requested.answer_words(about.refs):
            done, document = self._json(*words, quiet=not is_shown, said=text)
            for response in document.get("responses", ()):
                print(f"{response['orgName']}/{response['key']}: {response['result']}", flush=True)
            code = code or done
        return code

    def _read_about(self, requested: Requested) -> About | None:
        """What it is about; None if that cannot be read. Raises InputError if it is not what the
        preview showed."""
        code, document = self._json(*requested.about_words, quiet=not requested.continues)
        if code or "tasks" not in document:
            return None
        about = About.of(requested, document)
        if not self._is_preview:
            about.check(self._env.get("INPUT_EXPECT_PLAN", ""))
        return about

    def _json(self, *words: str, quiet: bool = True, said: str = "") -> tuple[int, dict[str, Any]]:
        """The exit code and the document of a command, whose input is `said`; its errors become
        annotations. With `quiet`, the log contains no text of a task."""
        done = subprocess.run(
            [*TASKCTL, "--format=json", *words],
            cwd=self._where,
            env=self._environment(),
            input=said.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            check=False,
        )
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            document = {}
        for problem in document.get("diagnostics", ()):
            kind = "error" if problem["severity"] == "error" else "warning"
            tell(kind, f"{problem['summary']} [{problem['code']}]\n{problem['detail']}")
        return done.returncode, document

    def _taskctl(self) -> int:
        """Runs it, in its own session so that it gets each signal once. Returns its exit code."""
        running: list[subprocess.Popen[bytes]] = []
        early: list[int] = []  # signals that arrived before it started

        def forward(number: int, _frame: object) -> None:
            if running:
                running[0].send_signal(number)
            else:
                early.append(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        process = subprocess.Popen(
            self._arguments(), cwd=self._where, env=self._environment(), start_new_session=True
        )
        running.append(process)
        for came in early:
            process.send_signal(came)
        return process.wait()

    def _arguments(self) -> list[str]:
        given = self._env.get
        kinds = {"json": "report.json", "markdown": "report.md", "github": "report.github"}
        made = [*TASKCTL, self._command]
        made += [f"--report={form}={self._folder / name}" for form, name in kinds.items()]
        if self._command == "plan":
            made += ["--detailed-exitcode", "--out", str(self._plan_file)]
        if self._command == "apply":
            made += ["--yes"]
        if self._command == "results":  # the log of a public repository is public, too
            made += ["-v" if given("INPUT_SHOW_TEXT") == "true" else "-q"]
        if given("INPUT_EXPECT_PLAN"):
            made += ["--expect-plan", given("INPUT_EXPECT_PLAN", "")]
        made += shlex.split(given("INPUT_ARGS", ""))
        if self._requested is not None:
            is_plan = self._command == "plan"
            asked = self._requested
            made += asked.preview_words[1:] if is_plan else asked.apply_words
        return [*made, "--", *self._paths]

    def _environment(self) -> dict[str, str]:
        """Without the inputs, which include a GitHub token."""
        own = {"TASKCTL_STATE": self._state} if self._state else {}
        return {n: v for n, v in self._env.items() if not n.startswith("INPUT_")} | own

    def _outputs(self, document: Mapping[str, Any]) -> dict[str, object]:
        summary = document.get("summary", {})
        made: dict[str, object] = {}
        if self._command == "plan" and "tasks" in document:
            creates = (
                summary["create"]
                + summary["replace"]
                + sum(task["reason"] == "recreate" for task in document["tasks"])
            )
            made = {"has-changes": document["hasChanges"], "creates": creates}
            failing = (reason for reason in document["failReasons"] if reason["code"] != FOR_OTHERS)
            made |= {"apply-will-fail": any(failing)}
            made |= {"plan-file": self._plan_file, "plan-digest": document["digest"]}
        if self._command == "apply" and "tasks" in document:
            creates = summary["created"] + summary["replaced"]
            done = (count for result, count in summary.items() if result not in UNDONE)
            made = {"has-changes": any(done), "creates": creates}
        return made

    def _name(self) -> str:
        """The directory of manifests, as shown in the comment and the summary."""
        manifests = [p for p in self._paths if not _is_plan(Path(self._where, p))]
        return ", ".join(os.path.normpath(Path(self._where, p)) for p in manifests or ["."])

    def _heading(self) -> str:
        name = _plain(self._name())
        return "" if name == "." else f"`{name}`\n\n"

    def _existed(self, document: Mapping[str, Any]) -> str:
        """A line for each key that makes the plan fail and whose file the pull request does not
        change."""
        number = self._github.pull_request()
        failing = {reason["key"] for reason in document.get("failReasons", ())} - {None}
        if number is None or not failing or not self._env.get("INPUT_GITHUB_TOKEN"):
            return ""
        try:
            changed = self._github.changed_files(number)
        except PROBLEMS:
            return ""  # the plan is complete without it
        lines = [
            f"- `{_plain(task['key'])}` made this plan fail. It existed before this pull request, "
            "which does not change "
            f"`{_plain(os.path.normpath(Path(self._where, task['file'])))}`.\n"
            for task in document["tasks"]
            if task["key"] in failing
            and os.path.normpath(Path(self._where, task["file"])) not in changed
        ]
        more = [f"- and {len(lines) - SHOWN} more\n"] if len(lines) > SHOWN else []
        return "".join([*lines[:SHOWN], *more, "\n"])

    def _number(self) -> int | None:
        """The number of the pull request or issue that gets the comment."""
        if self._command != "results":
            return self._github.pull_request()
        if self._issue:
            return int(self._issue)
        number = self._github.pull_request(or_issue=True)
        if number is None and self._env.get("GITHUB_EVENT_NAME") == "push":
            return self._github.pull_request_of_commit()
        return number

    def _comment(self, text: str) -> None:
        kind = "taskctl-results" if self._command == "results" else "taskctl"
        # An HTML comment that identifies the directory's comment; nothing in it can close it.
        marker = f"<!-- {kind}:{urllib.parse.quote(self._name(), safe='/ .,_')} -->"
        try:
            if not self._env.get("INPUT_GITHUB_TOKEN"):
                tell("warning", "no comment: the input github-token is empty")
            elif (number := self._number()) is None:
                print("No comment: this run is not for a pull request.")
            else:
                done = self._github.comment(number, marker, text)
                print(f"The comment on #{number} was {done}.")
        except PROBLEMS as problem:
            tell(
                "warning",
                f"the comment could not be written: {problem}. It needs `permissions: pull-requests"
                ": write`, which the token of a pull request from a fork does not have. The job "
                "summary has the same content",
            )

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _put(self, variable: str, text: str) -> None:
        if self._env.get(variable):
            with Path(self._env[variable]).open("a", encoding="utf-8") as file:
                file.write(text)


def main() -> int:
    folder = Path(mkdtemp(prefix="taskctl-", dir=os.environ.get("RUNNER_TEMP")))
    try:
        return Action(os.environ, folder).run()
    except InputError as problem:
        tell("error", str(problem))
        return 1


if __name__ == "__main__":
    sys.exit(main())
