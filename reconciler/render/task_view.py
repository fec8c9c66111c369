"""A task of a report, as every format shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from reconciler.apply.report import Result, TaskResult
from reconciler.messages.template import Hint, Words
from reconciler.model.diagnostics import Severity
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value
from reconciler.plan.plan import Change
from reconciler.render.style import Locate
from reconciler.tasks.results import ListedPullRequest
from reconciler.tasks.status import TaskStatus

LABELS = {"notStarted": "not started", "changed": "differs"}
"""The labels of actions and results, if they differ from their values in JSON."""

UNATTENDED = "unattended"


Block = str | Inputs | list[Change] | tuple[str, ...]
"""A part of the details of a task or an entry: prose, settings, differences, or commands."""


class TaskView(Value, frozen=True):
    """A task. `word` is its action, result or status as in JSON, `label` as shown to people.
    `level` is set if the task needs attention. `inputs` are the settings of a task that is to be
    created. `unattended`: it may act without approval. `pull_requests` and `answer` are its
    results. `question` is a question of its agent to a person. `is_broken`: it has an error, not
    just an unmet expectation. `quotes_agent`: `why` quotes its agent. Texts are not escaped."""

    ref: TaskRef
    word: str
    label: str
    sign: str
    level: Severity | None
    file: str | None
    line: int | None
    why: str = ""
    hints: tuple[Hint, ...] = ()
    task_id: str | None = None
    url: str | None = None
    inputs: Inputs | None = None
    diff: tuple[Change, ...] = ()
    unattended: bool = False
    pull_requests: tuple[ListedPullRequest, ...] = ()
    answer: str = ""
    question: str = ""
    is_broken: bool = False
    quotes_agent: bool = False

    @property
    def key(self) -> str:
        return self.ref.key

    def details(self) -> Iterator[Block]:
        """Everything but the answer, for formats that can fold details."""
        hints = chain.from_iterable(self.hints)
        yield from filter(None, (self.why, self.question, self.inputs, list(self.diff), *hints))

    @property
    def text(self) -> str:
        """The label, the reason and the hints, for plain-text formats."""
        head = f"{self.label}: {self.why}" if self.why else self.label
        asked = [self.question] if self.question else []
        return "\n".join([head, *asked, *(line for hint in self.hints for line in hint.lines)])


def view_of_task(
    task: TaskResult | TaskStatus,
    word: Result | TaskState,
    sign: str,
    level: Severity | None,
    words: Words,
    locate: Locate,
) -> TaskView:
    """The view of a task that was applied or waited for."""
    return TaskView(
        task.ref,
        word.value,
        word.label if isinstance(word, TaskState) else LABELS.get(word, word.value),
        sign,
        level,
        relative_file(task.file or None, locate),
        None,
        *words,
        task_id=task.task_id,
        url=task.url,
    )


def pull_requests_text(requests: Iterable[ListedPullRequest]) -> str:
    """`acme/net#12 (merged), acme/api#3`; not escaped."""
    return ", ".join(f"{each.text}{merged(each)}" for each in requests)


def merged(request: ListedPullRequest) -> str:
    """` (merged)` for a merged pull request, else empty."""
    return " (merged)" * request.is_merged


def relative_file(file: str | None, locate: Locate) -> str | None:
    return None if file is None else locate(file)
