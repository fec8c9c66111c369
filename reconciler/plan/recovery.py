"""What became of attempts without an outcome: adopt a task, send again, wait, or ask. Pure.

Each task that the attempt may have created (a candidate) is compared with it in four facts. The
first row of `RULES` that fits says what the candidate is to the attempt. A false match takes
somebody else's task, a false absence starts a second agent: so only a full match is adopted, and
only what is known to belong to others is disregarded. docs/exactly-once.md has the same table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.model import mark
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import RemoteTask, entities_of, text_of
from reconciler.plan.age import LockHolder, time_left
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.attempt import Attempt, Baseline

LEAST_LITERAL = 16
"""Characters of a redacted text that must be left for it to identify a prompt."""

_REDACTED = "[REDACTED]"


class MarkMatch(StrEnum):
    EXACT = "exact"  # ours at the precision that was sent
    ROUNDED = "rounded"  # ours, truncated or rounded to what the service shows
    OTHER = "other"  # another one, from a service that is known to preserve marks
    UNKNOWN = "unknown"  # another one or none, and it is not known that marks are preserved


class Text(StrEnum):
    SAME = "same"
    REDACTED = "redacted"  # the same, but for credentials that the service removed
    OTHER = "other"
    NONE = "none"  # the service shows no first message
    UNREADABLE = "unreadable"  # the first message could not be read


class Entities(StrEnum):
    SAME = "same"
    FEWER = "fewer"  # a proper subset, or none: the service deletes entities that became invalid
    OTHER = "other"


class Creator(StrEnum):
    OURS = "ours"  # or not shown
    OTHER = "other"  # another login, which ours may have been renamed to


class Match(StrEnum):
    """What a candidate is to an attempt."""

    OURS = "ours"  # adopt it
    UNREADABLE = "unreadable"  # unresolved: it cannot be compared
    DOUBTFUL = "doubtful"  # unresolved: it has our mark, or our text, but not all of it
    LIKELY = "likely"  # adopt it if nothing else is likely for either of them; else unresolved
    POSSIBLE = "possible"  # unresolved, unless a likely one is adopted
    NOT_OURS = "not ours"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: the values that fit for each fact (empty: any), and what follows."""

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
"""The first that fits decides."""


@dataclass(frozen=True, slots=True)
class Found:
    """The attempt created this task."""

    task: RemoteTask


@dataclass(frozen=True, slots=True)
class NotCreated:
    """Nothing came of it, and nothing will any more: it may be sent again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing certain yet, for `seconds` from when reading began; None: only apply can tell. `ids`
    are what it may be."""

    seconds: float | None
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unresolved:
    """It may exist. `kind` is `identity`, `unreadable` or `ambiguous`; `ids` are what it may be."""

    kind: str
    why: Remark
    ids: tuple[str, ...] = ()


Verdict = Found | NotCreated | Wait | Unresolved

_UNLIKELY = (Match.POSSIBLE, Match.NOT_OURS)
_OTHER_IDENTITY = Unresolved("identity", remark("attempt.other_identity"))


def recover(
    attempts: Iterable[Attempt],
    view: RemoteView,
    accounted: Collection[str],
    baselines: Mapping[str, Baseline],
    settle_time: timedelta,
    holder: LockHolder | None = None,
) -> dict[str, Verdict]:
    """A verdict for each open attempt, by mark.

    `accounted` are the ids of tasks that belong to a key already, or did. `holder` is what an apply
    knows about the age of its own attempts.
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


def strangers(
    attempts: Iterable[Attempt],
    view: RemoteView,
    accounted: Collection[str],
    baselines: Mapping[str, Baseline],
) -> set[str]:
    """Ids of candidates that are known not to be ours: they came after our attempts, with marks of
    others. What they do does not matter."""
    matches: dict[TaskId, set[Match]] = {}
    for attempt in attempts:
        for task_id, match in _matches(attempt, view, accounted, baselines):
            if task_id.org_name in view.marks_preserved:
                matches.setdefault(task_id, set()).add(match)
    return {task_id.id for task_id, found in matches.items() if found == {Match.NOT_OURS}}


def _certain(
    matches: Mapping[str, Mapping[TaskId, Match]], view: RemoteView
) -> Iterator[tuple[str, Verdict]]:
    """Attempts with one full match, which is nobody else's: however young they are."""
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
        return Unresolved("unreadable", remark("attempt.unlisted", why=why))
    if unread := by_match.get(Match.UNREADABLE):
        why = view.unreadable.get(unread[0], "the service shows none")
        ids = _ids(unread)
        return Unresolved("unreadable", remark("attempt.unreadable", ids=ids, why=why), ids)
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
    return Unresolved("ambiguous", remark(case, ids=ids), ids)


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
    """What the task is to the attempt, by the first rule that fits."""
    task_id = TaskId(task.org_name, task.id)
    message = view.messages.get(task_id)
    shown = message.mark if message is not None else ""
    is_preserved = task.org_name in view.marks_preserved
    if message is None:
        text = Text.UNREADABLE if task_id in view.unreadable else Text.NONE
    else:
        text = compare_texts(message.text, _prompt(attempt))
    facts = (
        _mark(attempt.mark, shown, is_preserved=is_preserved),
        text,
        compare_entities(message.entities if message else (), entities_of(attempt.inputs)),
        creator_of(task, view.identity.login),
    )
    return next(rule.match for rule in RULES if rule.fits(*facts))


def _prompt(attempt: Attempt) -> str:
    return text_of(attempt.inputs) or ""


def _mark(ours: str, shown: str, *, is_preserved: bool) -> MarkMatch:
    if mark.is_exact(ours, shown):
        return MarkMatch.EXACT
    if mark.matches(ours, shown):
        return MarkMatch.ROUNDED
    return MarkMatch.OTHER if is_preserved else MarkMatch.UNKNOWN


def creator_of(task: RemoteTask, login: str) -> Creator:
    """The service names the creator's login only, and a login can be renamed."""
    shown = task.creator_login
    return Creator.OTHER if shown and login and shown != login else Creator.OURS


def compare_texts(theirs: str, ours: str) -> Text:
    """Line ends, blanks at the end of a line and around the text, and Unicode forms do not count.
    A text that was cut off or got a prefix does not match."""
    theirs, ours = _normalized(theirs), _normalized(ours)
    if theirs == ours:
        return Text.SAME
    if len(theirs.replace(_REDACTED, "")) < LEAST_LITERAL:
        return Text.OTHER
    return Text.REDACTED if is_redaction_of(theirs, ours) else Text.OTHER


_LINE_END = re.compile(r"[^\S\n]+$", re.MULTILINE)


def _normalized(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _LINE_END.sub("", text).strip()


def may_be_redacted(theirs: str, ours: str) -> bool:
    """Whether one may be the other without its credentials, however little is left to tell."""
    return is_redaction_of(_normalized(theirs), _normalized(ours))


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


def compare_entities(
    theirs: Collection[Mapping[str, object]], ours: Collection[Mapping[str, object]]
) -> Entities:
    """In any order, and in the fields that were sent: the service may add its own."""
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
