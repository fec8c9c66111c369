"""The result of a task: its answer, the data in it, and its pull requests; and the other tasks of a
key, besides its current task. Pure.

They come from the agent and the service; no forge is read. An agent may write anything, so nothing
is guessed: data that is not plain JSON is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.strict_json import JsonError, read_strict_json
from reconciler.model.task import TaskRef, natural
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, field
from reconciler.model.wire import pull_request_id
from reconciler.state.model import State
from reconciler.tasks.events import MAX_WORDS, Last
from reconciler.tasks.status import TaskStatus

# Agents write the searched text, so no pattern may backtrack over a long text.
_FENCE = re.compile(
    r"(?P<prefix>(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*+)"
    r"(?P<marks>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^\s`]*+)[^`\n]*+"
)
_END = re.compile(r"[ \t]*+(?P<marks>`{3,}+|~{3,}+)[ \t]*+")
_MARKS = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]*|[-*+][ \t]+|\d{1,9}[.)][ \t]+)+|[*`]+|\b_+|(?<!_)_++\b"
)

_PUBLIC = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
_PATHS = {"github": "pull", "gitlab": "-/merge_requests", "bitbucket": "pull-requests"}
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_GROUPS = re.compile(rf"{_PART.pattern}(?:/{_PART.pattern}){{0,19}}")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)+")


class ListedPullRequest(NamedTuple):
    """A pull request as the service lists it; `repo` is Pulumi's."""

    number: int
    is_merged: bool
    repo: Mapping[str, object]

    @property
    def text(self) -> str:
        """`acme/net#12`; `HOST/acme/net#12` unless the host is the forge's public host."""
        org, name = self.repo["org"], self.repo["name"]
        host = self._host
        public = _PUBLIC.get(self._forge)
        return f"{'' if host in ('', public) else f'{host}/'}{org}/{name}#{self.number}"

    @property
    def url(self) -> str | None:
        """The address of its page, made only of plain parts; None for other forges."""
        forge, org, name = self._forge, str(self.repo["org"]), str(self.repo["name"])
        host = self._host or _PUBLIC.get(forge, "")
        groups = _GROUPS if forge == "gitlab" else _PART
        if forge not in _PUBLIC or self.number < 1 or not _HOST.fullmatch(host):
            return None
        if not groups.fullmatch(org) or not _PART.fullmatch(name):
            return None
        return f"https://{host}/{org}/{name}/{_PATHS[forge]}/{self.number}"

    @property
    def _forge(self) -> str:
        return str(self.repo.get("forge") or "")

    @property
    def _host(self) -> str:
        return str(self.repo.get("host") or "").lower()


class NoData(StrEnum):
    """The reason why an answer has no data."""

    MISSING = "missing"
    CUT = "cut"
    UNCLOSED = "unclosed"
    SYNTAX = "syntax"
    DUPLICATE = "duplicate"
    NUMBER = "number"
    DEPTH = "depth"


_NO_DATA = {
    Code.DUPLICATE_KEY: NoData.DUPLICATE,
    Code.INVALID_NUMBER: NoData.NUMBER,
    Code.EXCESSIVE_NESTING: NoData.DEPTH,
}


class WorkResult(Value, frozen=True):
    """The result of a task; everything is empty while the agent works. `data` is ABSENT without
    data, and `no_data` is the reason. `error` is the agent's message when it failed."""

    answer: str = ""
    data: Any = ABSENT
    no_data: NoData | None = None
    pull_requests: tuple[ListedPullRequest, ...] = ()
    error: str = ""


def result_of(status: TaskStatus) -> WorkResult:
    """The result of a task, from its outputs and events."""
    words, requests = status.summary.words, pull_requests(status)
    if status.state is TaskState.FAILED:
        return WorkResult(pull_requests=requests, error=words)
    if status.summary.last is not Last.FINAL or not status.state.has_ended:
        return WorkResult(pull_requests=requests)
    cut = words.encode("utf-8", "surrogatepass")[:MAX_WORDS].decode("utf-8", "ignore")
    if len(cut) < len(words):
        return WorkResult(cut, no_data=NoData.CUT, pull_requests=requests)
    data = data_in(words)
    if isinstance(data, NoData):
        return WorkResult(words, no_data=data, pull_requests=requests)
    return WorkResult(words, data, pull_requests=requests)


def pull_requests(status: TaskStatus) -> tuple[ListedPullRequest, ...]:
    """The pull requests that the service lists, except those that a user's message added."""
    listed = status.raw.get("entities")
    by_id: dict[str, ListedPullRequest] = {}
    for entity in listed if isinstance(listed, list | tuple) else ():
        id_ = pull_request_id(entity)
        if id_ is not None and id_ not in status.summary.attached:
            merged = entity.get("merged") is True
            by_id.setdefault(id_, ListedPullRequest(entity["number"], merged, entity["repo"]))
    return tuple(by_id.values())


def data_in(answer: str) -> Any:
    """The JSON value in the last closed fence with the info word `json`, or the whole answer if it
    is an object or a list. Otherwise, a NoData: an earlier block is never used."""
    fences = [part for part in _parts(answer) if isinstance(part, _Fence)]
    blocks = [fence for fence in fences if fence.info.lower() == "json"]
    if blocks:
        return _parsed("\n".join(blocks[-1].lines)) if blocks[-1].is_closed else NoData.UNCLOSED
    whole = answer.strip()
    return _parsed(whole) if whole[:1] + whole[-1:] in ("{}", "[]") else NoData.MISSING


def first_line(answer: str) -> str:
    """The first line that is neither blank nor in a fence, without Markdown's marks."""
    lines = (part for part in _parts(answer) if isinstance(part, str))
    return next((shown for line in lines if (shown := _MARKS.sub("", line).strip())), "")


class _Fence:
    """A fenced code block of Markdown with its content, possibly in a list or a quotation. In a
    quotation, a line with a lower quotation level ends it without a closing fence."""

    def __init__(self, begin: re.Match[str]) -> None:
        self.info, self._marks = begin["info"], begin["marks"]
        self._quotes = re.compile(rf"(?:[ \t]*+>){{{begin['prefix'].count('>')}}}")
        self.lines: list[str] = []
        self.is_closed = False

    def take(self, line: str) -> bool:
        """Adds a line, or closes the fence. Returns False if the line is not part of it."""
        quotes = self._quotes.match(line)
        if quotes is None:
            return False
        line = line[quotes.end() :]
        end = _END.fullmatch(line)
        self.is_closed = end is not None and end["marks"].startswith(self._marks)
        if not self.is_closed:
            self.lines.append(line)
        return True


def _parts(text: str) -> Iterator[str | _Fence]:
    """The lines of Markdown outside of fences, and the fences that have ended."""
    fence: _Fence | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        if fence is not None:
            is_inside = fence.take(line)
            if fence.is_closed or not is_inside:
                yield fence
                fence = None
            if is_inside:
                continue
        begin = _FENCE.fullmatch(line)
        if begin is None:
            yield line
        else:
            fence = _Fence(begin)


def _parsed(text: str) -> Any:
    """The value, or the NoData."""
    try:
        return read_strict_json(text)
    except JsonError as problem:
        return _NO_DATA.get(problem.code, NoData.SYNTAX)


class Former(StrEnum):
    """The reason why a task is not the current task of its key."""

    REPLACED = "replaced"
    REMOVED = "removed"


class OtherTask(Value, frozen=True):
    """A task that a key had. `outputs` are current or as last read."""

    ref: TaskRef
    state: Former
    task_id: str
    file: str
    outputs: Mapping[str, object] = field(default_factory=dict)


def other_tasks(state: State, refs: Collection[TaskRef]) -> tuple[OtherTask, ...]:
    """The other tasks of these keys, each once."""
    found: list[OtherTask] = []
    for ref, record in state.records.items():
        found += [OtherTask(ref, Former.REPLACED, each, record.file) for each in record.former]
    for task in state.retired.values():
        found.append(OtherTask(task.ref, Former.REMOVED, task.task_id, task.file, task.outputs))
        found += [OtherTask(task.ref, Former.REPLACED, each, task.file) for each in task.former]
    current = {record.task_id for record in state.records.values()}
    chosen = {
        other.task_id: other
        for other in reversed(found)
        if other.ref in refs and other.task_id not in current
    }
    return tuple(sorted(chosen.values(), key=lambda other: (natural(other.ref), other.task_id)))
