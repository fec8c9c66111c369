"""The story of one combination of features: a repository from its first apply to its last, through
the command line, with an oracle that counts the tasks at the service.

Before the story, tasks exist that its features need (`movedFrom`, `removed`, `taskID`, one that
somebody has created in the console). Then the manifest with all features is applied and, after an
hour and an edit, applied again, each time twice. In between, the state may be lost and continued,
and somebody may copy a prompt. At last, it is applied until nothing is left to do. Before each edit
and each of the last applies, all pull requests are merged.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from reconciler.embedded.app import App
from tests.pairs.features import Row
from tests.pairs.order import WORK_SECONDS, Created, held_by
from tests.support.called import call
from tests.support.embedded_client import Api, lose_tasks
from tests.support.sandbox import STATE, Ended
from tests.support.skipped_time import skip, skipped_now

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ME, ANOTHER = "pul-" + "0" * 40, "pul-" + "1" * 40
HOUR = 3600.0
MAX_APPLIES = 12
ROWS = ("a", "b", "c")
PILOTS: dict[str, dict[str, Any]] = {
    "number": {"pilot": 1},
    "matcher": {"pilot": [{"row": {"name": "a"}}]},
}
EXPECTED: dict[str, dict[str, Any]] = {
    "pullRequests": {"pullRequests": 1},
    "merged": {"pullRequests": 1, "merged": True},
    "data": {"data": {"required": ["n"]}},
    "unmet": {"data": {"required": ["m"]}},
}
"""Each task answers with `{"n": 1}` and a pull request."""

OBSERVED = {
    *(
        "baselines",
        "checksum",
        "done",
        "explained",
        "isKept",
        "journal",
        "met",
        "outputs",
        "serial",
    ),
}
"""What an apply saves of what it has read, also if it changes nothing else."""

LABEL = re.compile(r"\[(\w[^\]]*)\]")
"""Each prompt begins with the key that it belongs to."""


class Network(App):
    """The service, as commands reach it. `fault` is that of the next create. `writes` is the number
    of requests that change something, `created` each create that the service got."""

    def __init__(self, db: Path) -> None:
        super().__init__(db, now=skipped_now, work_seconds=WORK_SECONDS)
        self.fault = ""
        self.writes = 0
        self.created: list[Created] = []
        self._guard = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            return super().__call__(environ, start_response)
        with self._guard:
            self.writes += 1
            if not environ["PATH_INFO"].endswith("/tasks"):
                return super().__call__(environ, start_response)
            fault, self.fault = self.fault, ""
            if fault != "never sent":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                label = LABEL.search(body.decode())
                assert label is not None
                self.created.append(Created(label[1], skipped_now().timestamp()))
                environ["wsgi.input"] = BytesIO(body)
            if not fault:
                return super().__call__(environ, start_response)
            if fault == "lost":
                b"".join(super().__call__(environ, _ignore))
        start_response("504 Gateway Timeout", [("Content-Type", "text/plain")])
        return [b"lost"]


def _ignore(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], None]:
    del status, headers, more
    return lambda data: None


@dataclass
class Story:
    """`named`: the ID of the task that `taskID` names. `allowed`: how many tasks a key may have in
    addition to one. `judged`: how many creates were found not to be too early. `merges`: when all
    pull requests were merged. `said`: the commands, for the report of a failure."""

    row: Row
    folder: Path
    network: Network
    env: Mapping[str, str]
    named: str = ""
    allowed: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    merges: list[float] = field(default_factory=list)
    token: str = ME
    said: list[str] = field(default_factory=list)
    caches: int = 0

    # Manifests

    def uses(self, name: str, value: str = "") -> bool:
        return self.row[name] == value if value else self.row[name] != ""

    @property
    def suffix(self) -> str:
        """The part of the keys after the name of an entry, as a template."""
        row = "@{{ row.name }}" if self.uses("forEach") else ""
        return row + ("@{{ period.name }}" if self.uses("every") else "")

    def keys(self) -> list[str]:
        """The keys of `job`, with all of its rows and periods."""
        found = ["job"]
        if self.uses("forEach"):
            found = [f"job@{row}" for row in ROWS]
        if self.uses("every"):
            found = [f"{key}@2026-11" for key in found]
        return found

    @property
    def first(self) -> str:
        """The key of `job` that is special in the story."""
        return self.keys()[0]

    def _generator(self, rows: Iterable[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.uses("forEach"):
            made["forEach"] = {"row": [{"name": row} for row in rows]}
        if self.uses("every"):
            made["every"] = "month"
        return made

    def _job(self, rows: Iterable[str] = ROWS) -> dict[str, Any]:
        """The entry without the features that concern other tasks."""
        prompt = f'[job{self.suffix}] Answer in JSON.\n```json\n{{"n": 1}}\n```'
        return {**self._generator(rows), "message": prompt}

    def manifest(self, *, edited: bool) -> dict[str, Any]:
        job, tasks = self._job(), dict[str, Any]()
        rollout = {
            **PILOTS.get(self.row["pilot"], {}),
            **({"atOnce": 1} if self.uses("atOnce") else {}),
            **({"stopAfter": 1} if self.uses("stopAfter") else {}),
        }
        job |= {"expect": EXPECTED[self.row["expect"]]} if self.uses("expect") else {}
        job |= {"rollout": rollout} if rollout else {}
        job |= {"overlap": "wait"} if self.uses("overlap") else {}
        job |= {"taskID": self.named} if self.named else {}
        job |= {"movedFrom": f"old{self.suffix}"} if self.uses("movedFrom") else {}
        job |= {"approvalMode": "manual"} if edited and self.uses("--update") else {}
        job |= {"planMode": True} if edited and self.uses("--replace", "key") else {}
        if self.uses("after", "waits"):
            job["after"], tasks["before"] = ["before"], {"message": "[before] Go."}
        elif self.uses("after"):
            every = {"every": "month"} if self.uses("every") else {}
            tasks["afterwards"] = {"message": "[afterwards] Go.", "after": ["job"], **every}
        removed = {"removed": [self._removed()]} if self.uses("removed") else {}
        return {"version": 1, "orgName": "acme", "tasks": {"job": job, **tasks}, **removed}

    def _removed(self) -> str:
        return "job@d*" if self.uses("forEach") else "leaver"

    def earlier(self) -> dict[str, Any] | None:
        """The manifest of an earlier commit, if the story needs one."""
        tasks: dict[str, Any] = {}
        if self.uses("movedFrom"):
            tasks["old"] = self._job(ROWS[:2])
        if self.uses("removed"):
            name = "job" if self.uses("forEach") else "leaver"
            tasks[name] = self._job("d") if name == "job" else {"message": "[leaver] Go."}
        return {"version": 1, "orgName": "acme", "tasks": tasks} if tasks else None

    def write(self, manifest: dict[str, Any]) -> None:
        path = self.folder / "tasks" / "all.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(manifest))

    # Commands

    def run(self, *words: str, cache: bool | None = None) -> Ended:
        """Runs a command, with JSON on stdout. `cache`: whether the machine has a cache."""
        has_cache = not self.uses("cache") if cache is None else cache
        self.caches += 1
        name = "cache" if has_cache else f"cache-{self.caches}"
        env = {
            **self.env,
            "PULUMI_ACCESS_TOKEN": self.token,
            "TASKCTL_CACHE_DIR": str(self.folder.with_name(f"{self.folder.name}-{name}")),
        }
        ended = Ended(*call([*words, "--format", "json"], self.folder, env))
        codes = [found["code"] for found in ended.document["diagnostics"]]
        self.said.append(f"$ taskctl {' '.join(words)}  # exit {ended.code} {' '.join(codes)}")
        assert not {"TC804", "TC814"}.intersection(codes)  # usage, internal error
        return ended

    def same(self, *words: str) -> dict[str, Any]:
        """The document of a command, which is the same with and without a cache."""
        document = self.run(*words, cache=True).document
        again = self.run(*words, cache=False).document
        assert differing(document, again, {"readAt"}) == [], words
        return document

    def applied(self, *options: str, faulty: bool = False) -> None:
        """Plans and applies. Without a fault, the plan says whether apply fails, and whether it
        changes anything."""
        plan = self.same("plan", *(word for word in options if word != "--wait"))
        self._apply(plan, *options, faulty=faulty)

    def _apply(self, plan: dict[str, Any], *options: str, faulty: bool = False) -> None:
        sent, before = self.network.writes, self._state()
        wait = ("--interval", "60s") if "--wait" in options else ()
        if self.uses("plan"):
            path = str(self.folder.with_name(f"{self.folder.name}-plan"))
            self.run("plan", *options, "--out", path)
            again = ("--wait",) if wait else ()  # which --interval requires
            ended = self.run("apply", path, "--yes", *again, *wait)
            Path(path).unlink()
        else:
            ended = self.run("apply", "--yes", *options, *wait)
        self.check_counts()
        if not faulty and "--wait" not in options:
            assert (ended.code == 1) is plan["applyWillFail"], (plan["failReasons"], ended)
            if not plan["hasChanges"]:
                noted = {"expects"} if self.uses("loss") else set()  # from the manifests
                written = differing(before, self._state(), {*OBSERVED, *noted})
                assert not written, written
                assert self.network.writes == sent

    def _state(self) -> dict[str, Any]:
        path = self.folder / STATE
        if not self.uses("state"):
            return dict(json.loads(path.read_text())) if path.exists() else {"tasks": {}}
        return dict(self.run("state", "pull").document["state"])

    def recorded(self) -> dict[str, str]:
        """Task IDs by key."""
        tasks = self._state()["tasks"]
        return {ref.split("/", 1)[1]: record["taskId"] for ref, record in tasks.items()}

    # The service

    def counted(self) -> Counter[str]:
        """The number of tasks of each key, whoever created them."""
        return Counter(created.key for created in self.network.created)

    def check_counts(self) -> None:
        wrong = {k: n for k, n in self.counted().items() if n > 1 + self.allowed[k]}
        assert not wrong, (wrong, self.allowed)

    def check_order(self, explicit: Collection[str] = ()) -> None:
        """Nothing was created too early, except by an explicit option."""
        created = self.network.created
        for number in range(self.judged, len(created)):
            new = created[number]
            held = held_by(self.row, self.keys(), created[:number], new, self.merges)
            assert not held or new.key in explicit, (held, created[: number + 1])
        self.judged = len(created)

    def merge(self) -> None:
        """An hour later, somebody merges all pull requests."""
        skip(HOUR)
        self.network.merge("*")
        self.merges.append(skipped_now().timestamp())

    def forget(self, task_id: str) -> None:
        """The service loses a task."""
        lose_tasks(self.folder / "service.db", task_id)

    # The course of the story

    def tell(self) -> None:
        self._begin()
        self.write(self.manifest(edited=False))
        assert self.run("validate").code == 0
        options = self._options()
        self.judged, self.network.fault = len(self.network.created), self.row["response"]
        self.applied(*options, faulty=self.uses("response"))
        self.applied(*options)
        self.check_order()
        if self.uses("console", "copied prompt"):
            self._copy_prompt()
        self.merge()
        if self.uses("loss"):
            self._lose_and_continue()
        self.write(self.manifest(edited=True))
        options += self._later_options()
        self.token = ANOTHER if self.uses("identity") else ME
        self.applied(*options)
        self.applied(*options)
        self.token = ME
        self._finish()
        again = [self.first] if self._is_created_again() else []
        self.check_order(explicit=self.keys() if self.uses("--retry") else again)

    def refused(self) -> tuple[int, list[str]]:
        """The exit code, and the codes of the errors with which `validate` rejects the manifest, or
        else `plan` the options."""
        self._begin()
        self.write(self.manifest(edited=False))
        ended = self.run("validate")
        if ended.code == 0:
            self.applied()
            ended = self.run("plan", *self._options(), *self._later_options())
        return ended.code, sorted({found["code"] for found in ended.document["diagnostics"]})

    def _begin(self) -> None:
        if earlier := self.earlier():
            self.write(earlier)
            self.applied()
            assert set(self.counted().values()) <= {1}
        service = Api(self.network, token=ME)
        prompt = self._job()["message"].replace(f"job{self.suffix}", self.first)
        if self.uses("taskID"):
            self.named = service.create(prompt)
            self.allowed[self.first] += self.uses("movedFrom")
        if self.uses("console", "same prompt"):
            service.create(prompt)
            self.allowed[self.first] += 1
        self.check_counts()

    def _copy_prompt(self) -> None:
        """Somebody creates a task with the prompt that the console shows, with its last line."""
        task_id, service = self.recorded().get(self.first), Api(self.network, token=ME)
        if task_id is None:
            return
        said = next(e["eventBody"] for e in service.events(task_id) if e["type"] == "userInput")
        self.allowed[self.first] += 1
        fault, self.network.fault = self.network.fault, ""
        service.create(said["content"])
        self.judged, self.network.fault = len(self.network.created), fault

    def _lose_and_continue(self) -> None:
        """The state is lost, and another one continues it. If it has sent nothing, it is new."""
        known = self._state()
        lost = known["provenance"]["ids"][0]
        has_sent = lost in json.dumps([known["tasks"], known.get("retired")])
        if self.uses("state"):
            address, _, rest = self.env["TASKCTL_STATE"].partition("?")
            self.env = {**self.env, "TASKCTL_STATE": f"{address}-again?{rest}"}
            assert self.run("state", "init", "--new").code == 0
        else:
            (self.folder / STATE).unlink()
        words = ["--continue", lost, "-y"] if has_sent else ["--new"]
        assert self.run("state", "init", *words).code == 0

    def _options(self) -> list[str]:
        target = ["--target", "job*"] if self.uses("--target") else []
        flags = ("--update", "--wait")
        return [*target, *(name for name in flags if self.uses(name))]

    def _later_options(self) -> list[str]:
        options, task_id = [], self.recorded().get(self.first)
        if self.uses("--allow-recreate"):
            options.append("--allow-recreate")
            if task_id is not None:
                self.forget(task_id)
                self.allowed[self.first] += not (self.uses("taskID") or self.uses("--replace"))
        if self.uses("--retry"):
            options += ["--retry", f"{self.first}*"]
            for key in self.keys():
                self.allowed[key] += 2 * self.uses("expect", "unmet")  # in each apply with --wait
        if self.uses("--replace") and task_id is not None:
            is_named = self.uses("--replace", "key and ID")
            options += ["--replace", f"{self.first}={task_id}" if is_named else self.first]
            self.allowed[self.first] += 1
        return options

    def _is_created_again(self) -> bool:
        return self.uses("--replace") or self.uses("--allow-recreate")

    def _finish(self) -> None:
        for _ in range(MAX_APPLIES):
            self.merge()
            plan = self.same("plan")
            if not plan["hasChanges"]:
                break
            self._apply(plan)
        assert not plan["hasChanges"]
        actions = {task["key"]: task["action"] for task in plan["tasks"]}
        assert set(actions) >= set(self.keys())
        assert plan["applyWillFail"] or "unresolved" not in actions.values()
        status, results = (
            {task["key"]: task["status"] for task in self.same(command)["tasks"]}
            for command in ("status", "results")
        )
        assert status == results
        if not self._is_blocked():
            assert set(actions.values()) <= {"unchanged", "changed"}, actions
            assert status == dict.fromkeys(actions, "done")
            expected = {key: 1 + self.allowed[key] for key in self.keys()}
            assert expected.items() <= self.counted().items(), (expected, self.counted())

    def _is_blocked(self) -> bool:
        """Whether the story ends with a task that is not done: somebody has to decide or to correct
        something, or only another user can see it."""
        names_two = self.uses("taskID") and self.uses("movedFrom")
        is_gone = self.uses("taskID") and self.uses("--allow-recreate")
        is_unmet = self.uses("expect", "unmet")
        return names_two or is_gone or is_unmet or self.uses("identity")


def differing(one: Any, other: Any, ignored: Collection[str], path: str = "") -> list[str]:
    """Where two JSON values differ, except in properties with these names."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other}.difference(ignored))
        return [
            found
            for name in names
            for found in differing(one.get(name), other.get(name), ignored, f"{path}/{name}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for number, (left, right) in enumerate(zip(one, other, strict=True))
            for found in differing(left, right, ignored, f"{path}/{number}")
        ]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]
