"""No format shows the prompt of a sensitive task, in any kind of report."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.canonical import digest
from reconciler.model.fields import STAND_IN
from reconciler.model.remarks import remark, said
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import replace
from reconciler.plan.codec import encode_saved_plan, read_saved_plan
from reconciler.plan.diff import differences
from reconciler.plan.digest import plan_digest
from reconciler.plan.masking import masked_facts, masked_plan, masked_state
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import FORMATS, render
from reconciler.render.document import dump
from reconciler.render.reports import Report, masked
from reconciler.render.state import state_document, state_table, task_text
from reconciler.render.style import Style
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State
from tests.support.diagnostics import error, warning
from tests.support.entry_sample import as_planned, generated, plan_of
from tests.support.plan_values import ME, NOW

words = st.text(st.sampled_from("qzxjvwkQZXJVWK5793é鍵"), min_size=3, max_size=9)
"""Of letters that no text of our own has in a row."""

lines = st.lists(words, min_size=2, max_size=8).map(" ".join)
prompts = st.lists(lines, min_size=1, max_size=5).map(lambda found: "\n".join(found) + "\n")


def pieces(*texts: str) -> set[str]:
    """The text that must be in no output: whole prompts, and their lines longer than eight
    characters."""
    found = {text.strip() for text in texts}
    found.update(line for text in texts for line in text.splitlines() if len(line) > 8)
    return {piece for piece in found if len(piece) > 8}


def echoes(text: str) -> Iterator[str]:
    """The ways in which a service or a proxy may repeat a prompt."""
    body = json.dumps({"message": {"content": text}})
    yield f"invalid message: {text}"
    yield f"400: cannot parse {body}"
    yield f"400: cannot parse {json.dumps(text, ensure_ascii=False)!r}"
    yield f"<p>{html.escape(text)}</p>"
    yield f"the prompt {text[: len(text) // 2]!r}... is refused"
    yield " ".join(text.split())
    yield repr(text)


def inputs(text: str, **more: Any) -> dict[str, Any]:
    command = {"name": "/x", "description": text, "prompt": text, "builtIn": False}
    diff = {"add": [{"type": "stack", "name": "prod", "project": "net"}]}
    message = {"content": text, "entity_diff": diff, "commands": {"/x": command}}
    return {"message": message, "name": "A name to show", **more}


def desired(key: str, text: str, *, sensitive: bool = True) -> DesiredTask:
    place = ("tasks/a.yaml", 3, 3)
    return DesiredTask(key, "acme", inputs(text), *place, sensitive=sensitive)


def record(key: str, text: str, *, sensitive: bool = True) -> Record:
    made = inputs(text)
    outputs = {"name": text.splitlines()[0][:60], "status": "idle"}
    return Record(
        ref=TaskRef("acme", key), task_id=f"id-{key}", file="tasks/a.yaml", inputs=made,
        digest=digest(made), identity=ME, outputs=outputs, sensitive=sensitive,
    )  # fmt: skip


def attempt(key: str, text: str) -> Attempt:
    made = inputs(text)
    mark = "2026-11-24T12:00:00.000Z"
    return Attempt(
        ref=TaskRef("acme", key), mark=mark, inputs=made, digest=digest(made), identity=ME,
        file="tasks/a.yaml", started_at=NOW, sensitive=True,
    )  # fmt: skip


def planned(key: str, action: Action, reason: Reason, **more: Any) -> PlannedTask:
    return PlannedTask(TaskRef("acme", key), action, reason, "tasks/a.yaml", 3, **more)


def a_plan(before: str, after: str, words: str) -> Plan:
    """One of each: to create, changed on either side, orphaned, unresolved, found again."""
    old, new = record("b", before), desired("b", after)
    whole = Change("message", {"content": before}, {"content": after}, Origin.MANIFEST)
    remote = RemoteTask("acme", "id-e", {"name": after[:40], "status": "idle"})
    tasks = (
        planned("a", Action.CREATE, Reason.NEW, desired=desired("a", after)),
        planned(
            "b", Action.CHANGED, Reason.CHANGED, desired=new, record=old,
            diff=differences(old.inputs, new.inputs, None).changes,
        ),
        planned("c", Action.CHANGED, Reason.CHANGED, record=record("c", before), diff=(whole,)),
        planned("d", Action.ORPHANED, Reason.REMOVED, record=record("d", before),
            remarks=(remark("unsure.unreadable", task_id="t", why=said(words)),)),
        planned(
            "e", Action.ADOPT, Reason.ATTEMPT, attempt=attempt("e", before), remote=remote,
            remarks=(remark("adopt.named", name=said(after[:40]), url="u"),),
            desired=desired("e", after, sensitive=False),
        ),
        planned(
            "f", Action.UNRESOLVED, Reason.UNREADABLE,
            remarks=(remark("unsure.unreadable", task_id="t", why=said(words)),),
        ),
    )  # fmt: skip
    noted = (
        warning(said(words), detail=said(words), file="tasks/a.yaml", line=3, column=3, key="a"),
    )
    return Plan("local", (), tasks, ME, diagnostics=noted)


def reports(before: str, after: str, words: str) -> Iterator[Report]:
    yield a_plan(before, after, words)
    yield FailureReport((error(said(words), said(words)),))
    yield ValidateReport(
        1, 1, (error(said(words)),), (desired("a", after), desired("b", before)), ("a",)
    )
    results = tuple(
        TaskResult(
            TaskRef("acme", f"k{n}"),
            result,
            "id",
            "https://x",
            (remark("apply.unknown", why=said(words)),),
            "tasks/a.yaml",
            3,
        )
        for n, result in enumerate(Result)
    )
    yield ApplyReport(results, (error(said(f"k1: {words}")),))


KEYS = frozenset("abcdef") | {f"k{number}" for number in range(len(Result))}
"""Those of the reports: sensitive tasks, and tasks that may be about one."""


def shown(report: Report) -> Iterator[tuple[str, str]]:
    for name in FORMATS:
        for style in (Style(), Style(color=True, width=120, verbose=True), Style(width=40)):
            yield name, render(name, report, style)


def assert_none(text: str, secrets: set[str], where: object) -> None:
    """Not in plain form, not as JSON or HTML encodes it, and not across line breaks."""
    for reading in (text, "".join(text.split()), html.unescape(text)):
        for secret in secrets:
            for form in (secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret)):
                assert form not in reading, (where, form)
                assert "".join(form.split()) not in reading, (where, form)


@settings(max_examples=15)
@given(prompts, prompts, st.data())
def test_no_format_shows_a_sensitive_prompt(before: str, after: str, data: st.DataObject) -> None:
    words = data.draw(st.sampled_from([*echoes(before), *echoes(after)]))
    secrets = pieces(before, after)
    for report in reports(before, after, words):
        hidden = masked(report, KEYS)
        for name, text in shown(hidden):
            assert_none(text, secrets, (type(report).__name__, name))
        assert_none(repr(hidden), secrets, type(report).__name__)


@settings(max_examples=30)
@given(prompts, prompts)
def test_a_plan_masks_sensitive_prompts_by_itself(before: str, after: str) -> None:
    plan = a_plan(before, after, f"refused: {before}")
    hidden = masked(plan, frozenset())
    assert hidden == masked_plan(plan)
    assert masked(hidden, KEYS) == hidden
    assert_none(repr(hidden), pieces(before, after), "plan")


def test_digests_show_that_a_prompt_changed() -> None:
    plan = masked_plan(a_plan("what it was before\n", "what it is now\n", "said"))
    change = next(c for c in plan.tasks[1].diff if c.path == "message.content")
    expected = [sha256(t).hexdigest()[:32] for t in (b"what it was before\n", b"what it is now\n")]
    assert change.before == f"(sensitive) sha256:{expected[0]}"
    assert change.after == f"(sensitive) sha256:{expected[1]}"
    created = plan.tasks[0].desired
    assert created is not None
    assert created.inputs["name"] == "A name to show"
    assert created.inputs["message"]["entity_diff"]["add"][0]["name"] == "prod"


def test_masking_does_not_change_the_digest() -> None:
    plan = a_plan("what it was before\n", "what it is now\n", "said")
    hidden = masked_plan(plan)
    assert plan_digest(hidden) == plan_digest(plan)
    assert json.loads(render("json", hidden, Style()))["digest"] == plan_digest(plan)


def test_other_prompts_are_unchanged() -> None:
    plan = a_plan("before", "after", "said")
    tasks = (
        planned("a", Action.CREATE, Reason.NEW, desired=desired("a", "x" * 40, sensitive=False)),
    )
    plan = replace(plan, tasks=tasks)
    assert masked(plan, frozenset()) is plan
    assert masked_plan(plan) is plan
    report = FailureReport((error("x"),))
    assert masked(report, frozenset()) is report


def test_another_task_with_the_same_prompt_is_not_masked() -> None:
    text = "Rotate every access key of the vault.\n"
    tasks = (
        planned("a", Action.CREATE, Reason.NEW, desired=desired("a", text)),
        planned("b", Action.CREATE, Reason.NEW, desired=desired("b", text, sensitive=False)),
    )
    hidden = masked_plan(Plan("local", (), tasks))
    declared = hidden.tasks[1].desired
    assert declared is not None
    assert declared.inputs["message"]["content"] == text


@settings(max_examples=20)
@given(prompts, prompts)
def test_the_state_shows_no_sensitive_prompt(before: str, after: str) -> None:
    known = {r.ref: r for r in (record("a", before), record("b", "Say hello.", sensitive=False))}
    state = State("l", 1, "local", known, {"m": attempt("c", after)})
    hidden = masked_state(state)
    refs = [*known, TaskRef("acme", "c")]
    text = dump(state_document(hidden, refs)) + state_table(hidden, refs, Style())
    text += "".join(task_text(hidden, ref, Style(verbose=True)) for ref in refs)
    assert_none(text, pieces(before, after), "state")
    assert_none(repr(hidden), pieces(before, after), "state")
    assert "Say hello." in text


def test_a_question_about_another_task_names_the_candidate() -> None:
    """A person must see what to decide about; an error of a lookup may be about any task."""
    note = (
        remark("adopt.named", name=said("Qzx"), url="u"),
        remark("unsure.unlisted", why=said("Qzx")),
    )
    for ref, shown in (("acme/a", 0), ("acme/b", 1)):
        facts = masked_facts({"ref": ref, "note": note}, frozenset("a"))
        assert str(facts).count("Qzx") == shown


# Saved plans


def test_a_saved_plan_contains_no_sensitive_prompt() -> None:
    before, after = "qzx jvw kqz\nxjv wkq zxj\n", "vwk qzx jvw\nkqz xjv wkq\n"
    plan = a_plan(before, after, f"refused: {after}")
    data = encode_saved_plan(masked_plan(plan))
    assert_none(data.decode(), pieces(before, after), "file")
    again = read_saved_plan(data, "plan.taskctl")
    assert masked_plan(again) == again
    assert plan_digest(again) == plan_digest(plan)


def test_the_prompt_and_values_of_a_sensitive_entry_are_masked() -> None:
    """In every format, in a saved plan and in the state, including a record whose row is gone."""
    row = {"repo.name": "api", "repo.owner": "Qzxjvwk Qzxjvwk"}
    template = {"message": {"content": "Qzxj {{ repo.name }} for {{ repo.owner }}, quietly.\n"}}
    tasks = [
        as_planned(generated(row, number, key=f"k{number}", template=template, sensitive=True))
        for number in range(3)
    ]
    lost = generated(row, 9, key="lost", template=template)
    record = Record(
        ref=lost.ref, task_id="t-9", file=lost.file, inputs=lost.inputs, digest="", identity=ME,
        sensitive=True, generated=lost.generated,
    )  # fmt: skip
    gone = PlannedTask(
        lost.ref, Action.ORPHANED, Reason.REMOVED, lost.file, task_id="t-9", record=record
    )
    plan = plan_of([*tasks, gone])
    for form in FORMATS:
        for verbose in (False, True):
            shown = render(form, masked(plan, frozenset()), Style(verbose=verbose))
            assert "Qzxj" not in shown, form
    text = render("text", masked(plan, frozenset()), Style())
    assert f"{STAND_IN}: repo.name, repo.owner" in text
    state = State("lineage", 1, "https://api.pulumi.com", records={lost.ref: record})
    assert b"Qzxj" not in encode_saved_plan(masked_plan(plan))
    assert "Qzxj" not in dump(state_document(masked_state(state), [lost.ref]))
