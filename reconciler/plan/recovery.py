"""Resolves attempts whose outcome is unknown: adopt a task, resend, wait, or unresolved. Pure.

Each task that an attempt may have created (a candidate) is compared with the attempt in four facts,
and the first row of `RULES` that fits decides. A false positive claims someone else's task, a false
negative starts a second agent. So only a full match is adopted, and only tasks that are known to
belong to others are ruled out. docs/exactly-once.md has the same table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from reconciler.model import mark
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import RemoteTask, entities_of, text_of
from reconciler.model.wire import REDACTED
from reconciler.plan.age import LockHolder, time_left
from reconciler.plan.plan import Reason
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.attempt import Attempt, Baseline

LEAST_LITERAL = 16
"""The literal characters that a redacted text needs to identify a prompt."""


class MarkMatch(StrEnum):
    EXACT = "exact"  # ours, at the precision that was sent
    ROUNDED = "rounded"  # ours, truncated or rounded by the service
    OTHER = "other"  # not ours, and the service is known to preserve marks
    UNKNOWN = "unknown"  # not ours or missing, and the service may not preserve marks


class Text(StrEnum):
    SAME = "same"
    REDACTED = "redacted"  # the same, except for credentials that the service removed
    OTHER = "other"
    NONE = "none"  # the service shows no first message
    UNREADABLE = "unreadable"  # the first message could not be read


class Entities(StrEnum):
    SAME = "same"
    FEWER = "fewer"  # a proper subset, or none: the service deletes entities that became invalid
    OTHER = "other"


class Creator(StrEnum):
    OURS = "ours"  # or not shown
    OTHER = "other"  # another login; ours may have been renamed to it


class Match(StrEnum):
    """How a candidate matches an attempt."""

    OURS = "ours"  # adopt
    UNREADABLE = "unreadable"  # unresolved: cannot be compared
    DOUBTFUL = "doubtful"  # unresolved: our mark or our text, but not a full match
    LIKELY = "likely"  # adopt if it is the only likely match for both sides; else unresolved
    POSSIBLE = "possible"  # unresolved, unless a likely candidate is adopted
    NOT_OURS = "not ours"


class Rule(NamedTuple):
    """A row of the table: the matching values of each fact (empty: any), and the result."""

    match: Match
    mark: tuple[MarkMatch, ...] = ()
    text: tuple[Text, ...] = ()
    entities: tuple[Entities, ...] = ()
    creator: tuple[Creator, ...] = ()

    def fits(self, mark: MarkMatch, text: Text, entities: Entities, creator: Creator) -> bool:
        facts = ((mark, self.mark), (text, self.text), (entities, self.entities))
        return all(not fit or fact in fit for fact, fit in (*facts, (creator, self.creator)))


_OUR_MARK = (MarkMatch.EXACT, MarkMatch.ROUNDED)
_OUR_TEXT = (Text.SAME, Text.REDACTED)

RULES = (
    Rule(Match.OURS, _OUR_MARK, _OUR_TEXT, (Entities.SAME,), (Creator.OURS,)),
    Rule(Match.UNREADABLE, text=(Text.UNREADABLE,)),
    Rule(Match.UNREADABLE, text=(Text.NONE,), creator=(Creator.OURS,)),
    Rule(Match.DOUBTFUL, mark=(MarkMatch.EXACT,)),
    Rule(Match.NOT_OURS, mark=(MarkMatch.OTHER,)),
    Rule(Match.LIKELY, (), _OUR_TEXT, (Entities.SAME,), (Creator.OURS,)),
    Rule(Match.DOUBTFUL, (), _OUR_TEXT, (Entities.SAME, Entities.FEWER)),
    Rule(Match.POSSIBLE, creator=(Creator.OURS,)),
    Rule(Match.NOT_OURS),
)
"""The first rule that fits decides."""


class Found(NamedTuple):
    """The attempt created this task."""

    task: RemoteTask


@dataclass(frozen=True, slots=True)
class NotCreated:
    """The attempt created no task and no longer can: a resend may follow."""


class Wait(NamedTuple):
    """Unknown for another `seconds` after reading began; None if only apply can tell. `ids` are the
    tasks that it may have created."""

    seconds: float | None
    ids: tuple[str, ...] = ()


class Unresolved(NamedTuple):
    """The attempt may have created a task, possibly one of `ids`."""

    reason: Reason
    why: Remark
    ids: tuple[str, ...] = ()


Verdict = Found | NotCreated | Wait | Unresolved

_UNLIKELY = (Match.POSSIBLE, Match.NOT_OURS)
_OTHER_IDENTITY = Unresolved(Reason.OTHER_IDENTITY, remark("attempt.other_identity"))


def recover(
    attempts: Iterable[Attempt],
    view: RemoteView,
    accounted: Collection[str],
    baselines: Mapping[str, Baseline],
    settle_time: timedelta,
    holder: LockHolder | None = None,
) -> dict[str, Verdict]:
    """A verdict for each open attempt, by mark.

    `accounted` are the IDs of tasks that have or had a key. `holder` is what an apply knows about
    the age of its own attempts.
    """
    ordered = sorted(attempts, key=lambda attempt: attempt.mark)
    ours = [attempt for attempt in ordered if view.identity.same_as(attempt.identity)]
    matches = {a.mark: dict(_matches(a, view, accounted, baselines)) for a in ours}
    verdicts: dict[str, Verdict] = {a.mark: _OTHER_IDENTITY for a in ordered}
    verdicts.update(_certain(matches, view))
    taken = {v.task.id for v in verdicts.values() if isinstance(v, Found)}
    left = [attempt for attempt in ours if isinstance(verdicts[attempt.mark], Unresolved)]
    free = {a.mark: {i: m for i, m in matches[a.mark].items() if i.id not in taken} for a in left}
    for attempt in left:
        seconds = time_left(attempt, view.clocks, settle_time, holder)
        if seconds is None or seconds > 0:
            likely = (i for i, m in free[attempt.mark].items() if m not in _UNLIKELY)
            verdicts[attempt.mark] = Wait(seconds, _ids(likely))
        else:
            verdicts[attempt.mark] = _settled(attempt, free, view)
    return verdicts


def tasks_of_others(
    attempts: Iterable[Attempt],
    view: RemoteView,
    accounted: Collection[str],
    baselines: Mapping[str, Baseline],
) -> set[str]:
    """The IDs of the candidates that others have created: the service preserves marks, and theirs
    differs from that of every attempt."""
    matches: dict[TaskId, set[Match]] = {}
    for attempt in attempts:
        for task_id, match in _matches(attempt, view, accounted, baselines):
            if task_id.org_name in view.marks_preserved:
                matches.setdefault(task_id, set()).add(match)
    return {task_id.id for task_id, found in matches.items() if found == {Match.NOT_OURS}}


def _certain(
    matches: Mapping[str, Mapping[TaskId, Match]], view: RemoteView
) -> Iterator[tuple[str, Verdict]]:
    """Attempts, of any age, with exactly one full match that no other attempt shares."""
    claims = [i for found in matches.values() for i, match in found.items() if match is Match.OURS]
    for name, found in matches.items():
        full = [i for i, match in found.items() if match is Match.OURS]
        if len(full) == 1 and claims.count(full[0]) == 1:
            yield name, Found(view.tasks[full[0]])


def _settled(
    attempt: Attempt, matches: Mapping[str, Mapping[TaskId, Match]], view: RemoteView
) -> Verdict:
    """The verdict on an attempt that is old enough."""
    by_match: dict[Match, list[TaskId]] = {}
    for task_id, match in matches[attempt.mark].items():
        by_match.setdefault(match, []).append(task_id)
    if why := view.unlisted.get(attempt.ref.org_name):
        return Unresolved(Reason.UNREADABLE, remark("attempt.unlisted", why=why))
    if unread := by_match.get(Match.UNREADABLE):
        why = view.unreadable.get(unread[0], "the service shows none")
        ids = _ids(unread)
        return Unresolved(Reason.UNREADABLE, remark("attempt.unreadable", ids=ids, why=why), ids)
    if doubtful := by_match.get(Match.OURS, []) + by_match.get(Match.DOUBTFUL, []):
        return _ambiguous("attempt.doubtful", doubtful)
    if likely := by_match.get(Match.LIKELY):
        rivals = [m for m, found in matches.items() if found.get(likely[0]) is Match.LIKELY]
        if len(likely) == len(rivals) == 1:
            return Found(view.tasks[likely[0]])
        return _ambiguous("attempt.ambiguous", likely)
    if possible := by_match.get(Match.POSSIBLE):
        return _ambiguous("attempt.possible", possible)
    return NotCreated()


def _ambiguous(case: str, found: Iterable[TaskId]) -> Unresolved:
    ids = _ids(found)
    return Unresolved(Reason.AMBIGUOUS, remark(case, ids=ids), ids)


def _ids(found: Iterable[TaskId]) -> tuple[str, ...]:
    return tuple(sorted(task_id.id for task_id in found))


def _matches(
    attempt: Attempt,
    view: RemoteView,
    accounted: Collection[str],
    baselines: Mapping[str, Baseline],
) -> Iterator[tuple[TaskId, Match]]:
    """The attempt's candidates: unrecorded tasks that did not exist before it."""
    baseline = baselines.get(attempt.baseline)
    before = frozenset(baseline.ids) if baseline is not None else frozenset()
    for task_id, task in sorted(view.tasks.items()):
        if task_id.org_name != attempt.ref.org_name:
            continue
        if task.id in before or task.id in accounted:
            continue
        if task_id in view.messages or task_id in view.unreadable:
            yield task_id, compare_candidate(attempt, task, view)


def compare_candidate(attempt: Attempt, task: RemoteTask, view: RemoteView) -> Match:
    """How the task matches the attempt, by the first rule that fits."""
    task_id = TaskId(task.org_name, task.id)
    message = view.messages.get(task_id)
    shown = message.mark if message is not None else ""
    is_preserved = task.org_name in view.marks_preserved
    if message is None:
        text = Text.UNREADABLE if task_id in view.unreadable else Text.NONE
    else:
        text = compare_texts(message.text, text_of(attempt.inputs) or "")
    facts = (
        _mark(attempt.mark, shown, is_preserved=is_preserved),
        text,
        compare_entities(message.entities if message else (), entities_of(attempt.inputs)),
        creator_of(task, view.identity.login),
    )
    return next(rule.match for rule in RULES if rule.fits(*facts))


def _mark(ours: str, shown: str, *, is_preserved: bool) -> MarkMatch:
    if mark.is_exact(ours, shown):
        return MarkMatch.EXACT
    if mark.matches(ours, shown):
        return MarkMatch.ROUNDED
    return MarkMatch.OTHER if is_preserved else MarkMatch.UNKNOWN


def creator_of(task: RemoteTask, login: str) -> Creator:
    """The service returns only the creator's login, which may have been renamed."""
    shown = task.creator_login
    return Creator.OTHER if shown and login and shown != login else Creator.OURS


def compare_texts(theirs: str, ours: str) -> Text:
    """Ignores line endings, trailing blanks, surrounding blanks, and Unicode forms. Truncated or
    prefixed text does not match."""
    theirs, ours = _normalized(theirs), _normalized(ours)
    if theirs == ours:
        return Text.SAME
    if len(theirs.replace(REDACTED, "")) < LEAST_LITERAL:
        return Text.OTHER
    return Text.REDACTED if is_redaction_of(theirs, ours) else Text.OTHER


_LINE_END = re.compile(r"[^\S\n]+$", re.MULTILINE)


def _normalized(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _LINE_END.sub("", text).strip()


def may_be_redacted(theirs: str, ours: str) -> bool:
    """Whether one text may be the other with credentials removed, even if little of it is left."""
    return is_redaction_of(_normalized(theirs), _normalized(ours))


def is_redaction_of(theirs: str, ours: str) -> bool:
    """Whether `theirs` is `ours` with parts replaced by the service's placeholder."""
    first, *middle = theirs.split(REDACTED)
    if not middle or REDACTED in ours or not ours.startswith(first):
        return False
    last, at = middle.pop(), len(first)
    for piece in middle:
        at = ours.find(piece, at + 1)
        if at < 0:
            return False
        at += len(piece)
    return len(ours) - len(last) > at and ours.endswith(last)


def compare_entities(
    theirs: Collection[Mapping[str, object]], ours: Collection[Mapping[str, object]]
) -> Entities:
    """Ignores order, and compares only the fields that were sent: the service may add others."""
    left = list(theirs)
    missing = 0
    for sent in ours:
        same = next((shown for shown in left if _has(shown, sent)), None)
        if same is None:
            missing += 1
        else:
            left.remove(same)
    if left:
        return Entities.OTHER
    return Entities.FEWER if missing else Entities.SAME


def _has(shown: object, sent: object) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(shown, Mapping) and all(
            _has(shown.get(name), value)
            for name, value in sent.items()
            if value is not None and not (name == "merged" and value is False)
        )
    return bool(shown == sent)
