"""Runs taskctl for the GitHub Action: job summary, outputs, annotations, and one comment.

Runs in the virtual environment of taskctl, and uses only the standard library. Inputs arrive as
environment variables (`INPUT_*`), never as part of a script. A comment that cannot be written is a
warning and never fails the job.
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
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

TASKCTL = (sys.executable, "-I", "-m", "reconciler")  # beside it, in its virtual environment
LIMIT = 64_000  # characters; GitHub accepts 65,536 in a comment
PAGES = 100  # of 100 comments each
TRIES = 4
COMMANDS = ("validate", "plan", "apply", "results")
ANSWERS = ("approve", "reject", "say", "cancel")
UNDONE = ("held", "failed", "unresolved", "notStarted")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,300}")  # never Markdown, or a command of the log
PATIENCE = 60.0  # seconds; longer rate limits are not waited for


class InputError(Exception):
    """An invalid input; it ends the step."""


class RefusedError(Exception):
    """GitHub rejected the request permanently."""


class PassingError(Exception):
    """A request that can be retried, after `wait` seconds if GitHub says so."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is never sent to the target of a redirect."""

    def redirect_request(
        self, req: object, fp: object, code: int, msg: str, headers: object, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


class Api:
    """GitHub's REST API. `url` has no trailing slash."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def call(self, method: str, path: str, body: object = None) -> tuple[Any, str | None]:
        """The decoded response and the next page. Raises RefusedError, PassingError."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "User-Agent": "taskctl-action",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.loads(answer.read()), self._next(answer.headers.get("Link", ""))
        except urllib.error.HTTPError as error:
            raise _failure(error.code, error.headers, error.read(2000)) from error
        except (OSError, HTTPException, ValueError) as error:
            raise PassingError(f"no response from GitHub's API: {error}") from error

    def pages(self, path: str) -> Iterator[Any]:
        following: str | None = path
        for _ in range(PAGES):
            if following is None:
                return
            page, following = self.call("GET", following)
            yield from page

    def _next(self, links: str) -> str | None:
        found = re.search(r'<([^>]*)>\s*;[^,]*\brel="?next\b', links)
        if found is None or not found[1].startswith(f"{self._url}/"):
            return None
        return found[1].removeprefix(self._url)


def _failure(code: int, headers: Message, body: bytes) -> Exception:
    text = f"GitHub's API returned {code}: {_message(body)}"
    asked = headers.get("Retry-After", "")
    wait = float(asked) if asked.isdecimal() else None
    limited = code == 429 or (code == 403 and (wait or headers.get("X-RateLimit-Remaining") == "0"))
    if limited and wait is None and headers.get("X-RateLimit-Reset", "").isdecimal():
        wait = max(0.0, float(headers["X-RateLimit-Reset"]) - time.time())
    if (limited and (wait or 0.0) <= PATIENCE) or code >= 500 or code == 408:
        return PassingError(text, wait)
    return RefusedError(text)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, TypeError, KeyError):
        return "no reason given"


def marker_of(folder: str, kind: str = "taskctl") -> str:
    """The HTML comment that identifies a directory's comment; nothing in it can close it."""
    return f"<!-- {kind}:{urllib.parse.quote(folder, safe='/ .,_')} -->"


def upsert(
    api: Api, repository: str, number: int, marker: str, body: str, pause: Callable[[float], object]
) -> str:
    """Edits the comment that starts with the marker, or creates it, and returns which. Raises
    RefusedError.

    A retry starts with the search, because a failed request may have created the comment.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return _upsert(api, f"/repos/{repository}/issues", number, marker, body)
        except PassingError as problem:
            if attempt == TRIES:
                raise RefusedError(str(problem)) from problem
            pause(2.0**attempt if problem.wait is None else min(problem.wait, PATIENCE))
    raise AssertionError


def _upsert(api: Api, issues: str, number: int, marker: str, body: str) -> str:
    try:
        login = api.call("GET", "/user")[0]["login"]
    except RefusedError:  # the token of a workflow is no user's
        login = None
    for comment in api.pages(f"{issues}/{number}/comments?per_page=100"):
        author = comment.get("user") or {}
        ours = author.get("login") == login if login else author.get("type") == "Bot"
        if ours and str(comment.get("body", "")).startswith(marker):
            api.call("PATCH", f"{issues}/comments/{comment['id']}", {"body": body})
            return "updated"
    api.call("POST", f"{issues}/{number}/comments", {"body": body})
    return "created"


def cut(text: str, limit: int = LIMIT) -> str:
    """At most `limit` characters, cut at a line, with open fences and sections closed."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 500].rpartition("\n")[0]
    fences = re.findall(r"^(`{3,})", kept, re.MULTILINE)
    closing = [fences[-1]] if len(fences) % 2 else []
    closing += ["</details>"] * (kept.count("<details") - kept.count("</details>"))
    return "\n\n".join([kept, *closing[:20], "*Truncated. The job summary contains all of it.*\n"])


def pull_request(env: Mapping[str, str], *, or_issue: bool = False) -> int | None:
    """The number of the pull request that triggered the event, or with `or_issue` of the issue."""
    try:
        event = json.loads(Path(env["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return None
    issue = event.get("issue") or {}
    about = event.get("pull_request") or (issue if or_issue or "pull_request" in issue else {})
    number = about.get("number")
    return number if isinstance(number, int) else None


def _plain(text: str) -> str:
    """Without what could end a span of code."""
    return re.sub(r"[^\w ./@,-]", "?", text)


def _is_plan(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".yaml", ".yml")


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
        self._plan_file = folder / "plan.taskctl"
        self._state = env.get("INPUT_STATE", "")
        if self._state and not re.match(r"[a-z0-9]+:", self._state):
            raise InputError(
                "the input state must be the address of a shared state, such as git:origin"
            )
        if self._command not in (*COMMANDS, *ANSWERS):
            raise InputError(f"the input command must be one of {', '.join((*COMMANDS, *ANSWERS))}")
        self._issue = env.get("INPUT_ISSUE_NUMBER") or ""
        if self._issue and not re.fullmatch(r"[1-9][0-9]{0,9}", self._issue):
            raise InputError("the input issue-number must be the number of an issue")
        if self._command in ANSWERS:
            self._check_answer()
        if not Path(self._where).is_dir():
            raise InputError(f"the input working-directory is not a directory: {self._where}")

    def _check_answer(self) -> None:
        """An answer goes to one task that the inputs name, never to a pattern or a path."""
        given = self._env.get
        if not KEY.fullmatch(given("INPUT_KEY", "")):
            raise InputError("the input key must be the key of a task, as KEY or ORG/KEY")
        request, needs_one = given("INPUT_REQUEST", ""), self._command in ("approve", "reject")
        if bool(request) != needs_one:
            must = "is required for" if needs_one else "must be empty for"
            raise InputError(f"the input request {must} {self._command}")
        if needs_one and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}", request):
            raise InputError("the input request must be the ID of a request")
        if self._command in ("reject", "say") and not given("INPUT_MESSAGE", "").strip():
            raise InputError(f"the input message is required for {self._command}")

    def run(self) -> int:
        """The exit code of the step."""
        if self._command in ANSWERS:
            return self._answer()
        code = self._taskctl()
        report = self._read("report.json")
        if self._command != "results":  # its annotations have texts of agents
            print(self._read("report.github"), end="", flush=True)
        document = json.loads(report) if report else {}
        self._put("GITHUB_OUTPUT", self._outputs(document))
        shown = self._read("report.md")
        if shown:
            body = f"{self._heading()}{self._existed(document)}{shown}"
            self._put("GITHUB_STEP_SUMMARY", f"{body}\n")
            if self._env.get("INPUT_COMMENT") == "true" and self._command != "validate":
                self._comment(body)
        return 0 if code == 2 and self._command == "plan" else code

    def _answer(self) -> int:
        """Shows what the answer is, and sends it unless this is a preview."""
        found = self._recorded(self._env["INPUT_KEY"])
        if found is None:
            return 1
        key, url = found
        told = self._env.get("INPUT_ANSWERS") == "true"
        rows = [f"**{self._command}** `{key}`", f"[Task]({url})" if url else ""]
        if request := self._env.get("INPUT_REQUEST"):
            rows.append(f"Request `{request}`")
        if told and (message := self._env.get("INPUT_MESSAGE")):
            rows.append("\n".join(f"    {line}" for line in message.splitlines()))
        text = "\n\n".join(filter(None, rows)) + "\n"
        self._put("GITHUB_STEP_SUMMARY", text)
        print(f"{self._command} {key}", flush=True)
        if self._env.get("INPUT_PREVIEW") == "true":
            return 0
        done, document = self._json(*self._answer_words(key), quiet=not told)
        for response in document.get("responses", ()):
            print(f"{key}: {response['result']}", flush=True)
        return done

    def _answer_words(self, key: str) -> list[str]:
        """The arguments; a message is never an option or a file name."""
        command, message = self._command, self._env.get("INPUT_MESSAGE", "")
        words = [command, "--yes"]
        if command in ("approve", "reject"):
            words += [f"--request={self._env['INPUT_REQUEST']}"]
            words += [f"--message={message}"] if message else []
        return [*words, "--", key, *(["-"] if command == "say" else [])]

    def _recorded(self, name: str) -> tuple[str, str] | None:
        """`ORG/KEY` and the address of the only task with this name in the state."""
        code, document = self._json("state", "list")
        if code:
            return None
        found = {f"{task['orgName']}/{task['key']}": task for task in document.get("tasks", ())}
        named = {key: task for key, task in found.items() if name in (key, task["key"])}
        named = {key: task for key, task in named.items() if KEY.fullmatch(key)}
        if len(named) != 1:
            problem = "no task in the state has" if not named else "several tasks have"
            tell("error", f"{problem} the key {name}")
            return None
        ((key, task),) = named.items()
        return key, str(task.get("url") or "")

    def _json(self, *words: str, quiet: bool = True) -> tuple[int, dict[str, Any]]:
        """The exit code and the document of a command; its errors become annotations. With
        `quiet`, nothing that it shows of a task is in the log."""
        message = self._env.get("INPUT_MESSAGE", "") if words[0] == "say" else ""
        done = subprocess.run(
            [*TASKCTL, "--format=json", *words],
            cwd=self._where,
            env=self._environment(),
            input=message.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            check=False,
        )
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            document = {}
        for problem in document.get("diagnostics", ()):
            tell("error", f"{problem['summary']} [{problem['code']}]\n{problem['detail']}")
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
            made += ["-v" if given("INPUT_ANSWERS") == "true" else "-q"]
        if given("INPUT_EXPECT_PLAN"):
            made += ["--expect-plan", given("INPUT_EXPECT_PLAN", "")]
        return [*made, *shlex.split(given("INPUT_ARGS", "")), "--", *self._paths]

    def _environment(self) -> dict[str, str]:
        """Without the inputs, which include a GitHub token."""
        own = {"TASKCTL_STATE": self._state} if self._state else {}
        return {n: v for n, v in self._env.items() if not n.startswith("INPUT_")} | own

    def _outputs(self, document: Mapping[str, Any]) -> str:
        summary = document.get("summary", {})
        made: dict[str, object] = {}
        if self._command == "plan" and "tasks" in document:
            creates = (
                summary["create"]
                + summary["replace"]
                + sum(task["reason"] == "recreate" for task in document["tasks"])
            )
            made = {"has-changes": document["hasChanges"], "creates": creates}
            made |= {"apply-will-fail": document["applyWillFail"]}
            made |= {"plan-file": self._plan_file, "plan-digest": document["digest"]}
        if self._command == "apply" and "tasks" in document:
            creates = summary["created"] + summary["replaced"]
            done = (count for result, count in summary.items() if result not in UNDONE)
            made = {"has-changes": any(done), "creates": creates}
        end = secrets.token_hex(8)
        text = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in made.items()}
        return "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in text.items())

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
        number = pull_request(self._env)
        failing = {reason["key"] for reason in document.get("failReasons", ())} - {None}
        if number is None or not failing or not self._env.get("INPUT_GITHUB_TOKEN"):
            return ""
        files = f"/repos/{self._repository}/pulls/{number}/files?per_page=100"
        try:
            changed = {os.path.normpath(str(file["filename"])) for file in self._api().pages(files)}
        except (RefusedError, PassingError, KeyError, TypeError):
            return ""  # the plan is complete without it
        lines = [
            f"- `{_plain(task['key'])}` made this plan fail. It existed before this pull request, "
            "which does not change "
            f"`{_plain(os.path.normpath(Path(self._where, task['file'])))}`.\n"
            for task in document["tasks"]
            if task["key"] in failing
            and os.path.normpath(Path(self._where, task["file"])) not in changed
        ]
        return "".join(lines) + "\n"

    @property
    def _repository(self) -> str:
        return self._env.get("GITHUB_REPOSITORY", "")

    def _api(self) -> Api:
        url = self._env.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        return Api(url, self._env.get("INPUT_GITHUB_TOKEN", ""))

    def _number(self) -> int | None:
        """The number of the pull request or issue that gets the comment."""
        if self._command != "results":
            return pull_request(self._env)
        if self._issue:
            return int(self._issue)
        number = pull_request(self._env, or_issue=True)
        commit = self._env.get("GITHUB_SHA", "")
        if number is not None or self._env.get("GITHUB_EVENT_NAME") != "push" or not commit:
            return number
        try:
            found, _ = self._api().call("GET", f"/repos/{self._repository}/commits/{commit}/pulls")
            return int(found[0]["number"]) if len(found) == 1 else None
        except (RefusedError, PassingError, KeyError, TypeError, ValueError) as problem:
            tell("warning", f"the commit's pull request could not be read: {problem}")
            return None

    def _comment(self, body: str) -> None:
        number = self._number()
        if number is None:
            print("No comment: this run is not for a pull request.")
            return
        if not self._env.get("INPUT_GITHUB_TOKEN"):
            tell("warning", "no comment: the input github-token is empty")
            return
        kind = "taskctl-results" if self._command == "results" else "taskctl"
        marker = marker_of(self._name(), kind)
        api, repository = self._api(), self._repository
        try:
            did = upsert(api, repository, number, marker, cut(f"{marker}\n{body}"), time.sleep)
        except RefusedError as problem:
            tell(
                "warning",
                f"the comment could not be written: {problem}. It needs `permissions: pull-requests"
                ": write`, which the token of a pull request from a fork does not have. The job "
                "summary has the same content",
            )
            return
        print(f"The comment on #{number} was {did}.")

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
