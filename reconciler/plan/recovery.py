"""Attempts without outcome against what the service shows: adopt, retry, wait, or unresolved.

Pure. Wrong in one direction it costs a user a second agent (a retry of what exists), in the other
a task that never runs, so the rules are few and each says which of the two it prevents. They are
those of contract, section 5, points 1 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.model.canonical import comparable_text
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import FirstMessage, RemoteTask, TaskRef, instant, text_of
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.model import Attempt

CLOCK_SLACK = timedelta(minutes=5)
"""How much earlier than the journalled service clock a task of ours may claim to be created."""

BLIND_SLACK = timedelta(hours=25)
"""The same where the attempt saw no service clock: this machine's may be off, zone included."""

_REDACTED = "[REDACTED]"


@dataclass(frozen=True, slots=True)
class Found:
    """The attempt made this task."""

    task: RemoteTask


@dataclass(frozen=True, slots=True)
class NotCreated:
    """Nothing came of it, and after the settle time nothing will: it may be sent again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing found yet; the attempt is young. `until` is by this machine's clock."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Unresolved:
    """It may exist. `kind` is `identity`, `unreadable` or `ambiguous`; `ids` are what it may be."""

    kind: str
    why: Remark
    ids: tuple[str, ...] = ()


Verdict = Found | NotCreated | Wait | Unresolved


@dataclass(frozen=True, slots=True)
class _Candidate:
    id: TaskId
    task: RemoteTask
    message: FirstMessage | None
    instant: datetime | None
    text: str


def may_be_of(attempt: Attempt, task: RemoteTask) -> bool:
    """Whether the attempt can have made the task, by organization and time alone.

    Visible settings exclude none: they change while an agent works.
    """
    if task.org_name != attempt.ref.org_name:
        return False
    created = task.created_at
    return created is None or created >= earliest(attempt)


def earliest(attempt: Attempt) -> datetime:
    """What the attempt made cannot be older than this, by the service's clock."""
    if attempt.service_clock is None:
        return attempt.started_at - BLIND_SLACK
    return attempt.service_clock - CLOCK_SLACK


def age(attempt: Attempt, view: RemoteView) -> timedelta:
    """How old an attempt was when reading began: the smaller of what the two clocks say."""
    by_ours = view.now - attempt.started_at
    if attempt.service_clock is None or view.service_now is None:
        return by_ours
    return min(by_ours, view.service_now - attempt.service_clock)


def recover(
    attempts: Iterable[Attempt],
    view: RemoteView,
    recorded: Mapping[str, TaskRef],
    wanted: Mapping[TaskRef, str],
    settle_time: timedelta,
) -> dict[str, Verdict]:
    """A verdict for each open attempt, by mark.

    `recorded` are the task ids that have a key already; `wanted` the prompts of the manifests'
    tasks, by key.
    """
    open_attempts = sorted(attempts, key=lambda a: a.mark)
    ours = [a for a in open_attempts if view.identity.same_as(a.identity)]
    verdicts: dict[str, Verdict] = {
        a.mark: Unresolved("identity", remark("attempt.other_identity"))
        for a in open_attempts
        if not view.identity.same_as(a.identity)
    }
    candidates = _candidates(ours, view, recorded)
    taken = _by_mark(ours, candidates, wanted, verdicts)
    left = [a for a in ours if a.mark not in verdicts]
    free = [c for c in candidates if c.id not in taken]
    for attempt in left:
        verdicts[attempt.mark] = _by_text(attempt, left, free, view, wanted, settle_time)
    return verdicts


def _candidates(
    attempts: list[Attempt], view: RemoteView, recorded: Mapping[str, TaskRef]
) -> list[_Candidate]:
    found = []
    for task_id, task in sorted(view.tasks.items()):
        if task.id in recorded or not any(may_be_of(a, task) for a in attempts):
            continue
        message = view.messages.get(task_id)
        if message is None and not _hides_its_message(task_id, task, view):
            continue
        text = comparable_text(message.text) if message is not None else ""
        found.append(
            _Candidate(
                task_id, task, message, message.instant if message is not None else None, text
            )
        )
    return found


def _hides_its_message(task_id: TaskId, task: RemoteTask, view: RemoteView) -> bool:
    """Whether a task without a first message may be ours all the same: it could not be read, or
    the service shows none of a task that this identity made."""
    if task_id in view.unreadable:
        return True
    login = task.creator_login
    is_own = login is None or not view.identity.login or login == view.identity.login
    return is_own and task_id in view.messages


def _by_mark(
    attempts: list[Attempt],
    candidates: list[_Candidate],
    wanted: Mapping[TaskRef, str],
    verdicts: dict[str, Verdict],
) -> set[TaskId]:
    """Settles the attempts whose mark a task bears. The tasks that are spoken for thereby."""
    by_instant: dict[datetime, list[_Candidate]] = {}
    for candidate in candidates:
        if candidate.instant is not None:
            by_instant.setdefault(candidate.instant, []).append(candidate)
    taken: set[TaskId] = set()
    for attempt in attempts:
        mark = instant(attempt.mark)
        marked = [c for c in by_instant.get(mark, ()) if may_be_of(attempt, c.task)] if mark else []
        mine = [c for c in marked if c.text == _text(attempt)]
        if not mine:
            # The service redacts what looks like a credential, so another text can be ours, but
            # not one that is somebody else's: a clock that replaces marks hits ours by chance.
            others = _texts_of_others(attempt, attempts, wanted)
            mine = [c for c in marked if _fits(c, attempt) or not _is_among(c.text, others)]
        taken.update(c.id for c in mine)
        if len(mine) == 1:
            verdicts[attempt.mark] = Found(mine[0].task)
        elif mine:
            ids = tuple(c.task.id for c in mine)
            why = remark("attempt.same_mark", ids=ids)
            verdicts[attempt.mark] = Unresolved("ambiguous", why, ids)
    return taken


def _by_text(
    attempt: Attempt,
    open_attempts: list[Attempt],
    free: list[_Candidate],
    view: RemoteView,
    wanted: Mapping[TaskRef, str],
    settle_time: timedelta,
) -> Verdict:
    """Settles an attempt whose mark no task bears: the service may have rounded or replaced it."""
    left = settle_time - age(attempt, view)
    wait = Wait(view.now + left) if left > timedelta() else None
    near = [c for c in free if may_be_of(attempt, c.task)]
    unread = [c for c in near if c.message is None]
    if unread:
        reason = view.unreadable.get(unread[0].id, "the service shows none")
        ids = tuple(c.task.id for c in unread)
        return wait or Unresolved(
            "unreadable", remark("attempt.unreadable", ids=ids, why=reason), ids
        )
    fitting = [c for c in near if _fits(c, attempt)]
    if not fitting:
        return wait or NotCreated()
    if len(fitting) == 1 and not _fits_others(fitting[0], attempt, open_attempts, wanted):
        # Until the settle time the list may still hide a task that bears our very mark.
        found = Found(fitting[0].task)
        return found if _rounded(attempt, fitting[0]) else wait or found
    ids = tuple(c.task.id for c in fitting)
    return wait or Unresolved("ambiguous", remark("attempt.ambiguous", ids=ids), ids)


def _fits(candidate: _Candidate, attempt: Attempt) -> bool:
    """Whether the task's prompt is the attempt's, credentials that the service removed aside."""
    ours = _text(attempt)
    return candidate.text == ours or is_redaction_of(candidate.text, ours)


def _fits_others(
    candidate: _Candidate,
    attempt: Attempt,
    open_attempts: list[Attempt],
    wanted: Mapping[TaskRef, str],
) -> bool:
    if any(
        may_be_of(other, candidate.task) and _fits(candidate, other)
        for other in open_attempts
        if other is not attempt
    ):
        return True
    return candidate.text != _text(attempt) and any(
        is_redaction_of(candidate.text, comparable_text(text))
        for ref, text in wanted.items()
        if ref != attempt.ref
    )


def _rounded(attempt: Attempt, candidate: _Candidate) -> bool:
    mark = instant(attempt.mark)
    if mark is None or candidate.instant is None:
        return False
    return abs(candidate.instant - mark) < timedelta(seconds=1)


def _text(attempt: Attempt) -> str:
    return comparable_text(text_of(attempt.inputs) or "")


def _texts_of_others(
    attempt: Attempt, attempts: list[Attempt], wanted: Mapping[TaskRef, str]
) -> set[str]:
    texts = {_text(other) for other in attempts if other is not attempt}
    texts.update(comparable_text(text) for ref, text in wanted.items() if ref != attempt.ref)
    texts.discard(_text(attempt))
    return texts


def _is_among(text: str, texts: set[str]) -> bool:
    return text in texts or any(is_redaction_of(text, other) for other in texts)


def is_redaction_of(theirs: str, ours: str) -> bool:
    """Whether `theirs` is `ours` with some pieces replaced by the service's placeholder."""
    first, *middle = theirs.split(_REDACTED)
    if not middle or _REDACTED in ours or not ours.startswith(first):
        return False
    last, at = middle.pop(), len(first)
    for piece in middle:
        at = ours.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return len(ours) - len(last) > at and ours.endswith(last)
