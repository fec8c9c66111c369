"""Hypothesis strategies for plans and everything in them, including hostile text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.model.budget import MAX_TOKENS, Budget, Outlook
from reconciler.model.canonical import ABSENT, digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import (
    DesiredTask,
    Expectation,
    Generated,
    Inputs,
    TaskOrigin,
    TaskRef,
    rfc3339,
)
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State
from tests.support.json_values import json_values
from tests.support.plan_values import PROVENANCE
from tests.support.remark_cases import remarks

HOSTILE = (
    "::error::boom",
    "  ::set-output name=x::y",
    "\ufe0f::warning::x",
    "##[error]x",
    "a ##vso[task.complete]x",
    "##teamcity[x]",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "\u202egpj.exe",
    "\u2066x\u2069",
    "a\u2028b\u2029c",
    "\u200b\u200d\ufeff",
    "\ud800",
    "| a | b |",
    "<script>alert(1)</script>",
    "```\n# x",
    "a\n::error::b\n##[error]c",
    "\x7f\x00",
    "\x85::error::x",
    "\xa0::error::x",
    "\U000e0041\U000e0042",
    "漢字\ttab",
)

hostile_text = st.sampled_from(HOSTILE)
text = st.one_of(hostile_text, st.text(max_size=30))
prompts = st.lists(text, max_size=6).map("\n".join)
keys = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
# An organization has no slash: records are kept under ORG/KEY.
organizations = st.one_of(
    st.sampled_from(["acme", "other-org"]), text.map(lambda name: name.replace("/", "|"))
)
refs = st.builds(TaskRef, organizations, keys)
moments = st.integers(0, 10 * 365 * 86_400 * 10**6).map(
    lambda since: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)
)
maybe_text = st.none() | text
lines = st.none() | st.integers(1, 10_000)
values = json_values(st.none() | st.booleans() | st.integers(-(2**40), 2**40) | text, text)

entities = st.fixed_dictionaries(
    {"type": st.sampled_from(["stack", "repository"]), "name": text}, optional={"project": text}
)
messages = st.fixed_dictionaries(
    {"content": prompts},
    optional={
        "entity_diff": st.fixed_dictionaries({"add": st.lists(entities, max_size=3)}),
        "commands": st.dictionaries(text, values, max_size=2),
    },
)
inputs: st.SearchStrategy[Inputs] = st.fixed_dictionaries(
    {"message": messages},
    optional={
        "approvalMode": st.sampled_from(["manual", "auto", "balanced"]),
        "planMode": st.booleans(),
        "enabledIntegrations": st.lists(st.fixed_dictionaries({"id": text}), max_size=3),
        "name": text,
        "isShared": st.booleans(),
    },
)

identities = st.builds(Identity, text, maybe_text, maybe_text, text)
diagnostics = st.builds(
    Diagnostic,
    st.just(Code.TASK_PROBLEM),
    st.sampled_from(Severity),
    args=st.fixed_dictionaries({"key": text, "why": text, "hint": prompts}),
    at=st.builds(Place, maybe_text, lines, lines, maybe_text),
)
changes = st.builds(
    Change,
    text,
    st.just(ABSENT) | values | prompts,
    st.just(ABSENT) | values | prompts,
    st.sampled_from(Origin),
)
logins = st.fixed_dictionaries({"githubLogin": text})
returned = st.fixed_dictionaries(
    {},
    optional={
        "approvalMode": st.sampled_from(["auto", "balanced"]),
        "createdAt": moments.map(rfc3339),
        "createdBy": logins,
        "name": text,
        "status": text,
    },
)
outputs = st.dictionaries(text, values, max_size=3) | returned
remotes = st.builds(RemoteTask, organizations, text, outputs)
generated = st.builds(Generated, keys, st.dictionaries(keys, text, max_size=2))
origins = st.builds(TaskOrigin, generated, text, inputs)


@st.composite
def desired_tasks(draw: st.DrawFn, of: st.SearchStrategy[TaskRef] = refs) -> DesiredTask:
    ref = draw(of)
    return DesiredTask(
        key=ref.key,
        org_name=ref.org_name,
        inputs=draw(inputs),
        file=draw(text),
        line=draw(st.integers(1, 999)),
        column=draw(st.integers(1, 99)),
        task_id=draw(maybe_text),
        moved_from=draw(st.none() | keys),
        org_from_manifest=draw(st.booleans()),
        origin=draw(st.none() | origins),
        expect=draw(st.none() | st.builds(Expectation, st.integers(0, 3))),
    )


@st.composite
def records(draw: st.DrawFn, of: st.SearchStrategy[TaskRef] = refs) -> Record:
    made = draw(inputs)
    return Record(
        ref=draw(of),
        task_id=draw(text),
        file=draw(text),
        inputs=made,
        digest=digest(made),
        identity=draw(identities),
        created_at=draw(st.none() | moments),
        pending=draw(st.dictionaries(text, values, max_size=2)),
        outputs=draw(outputs),
    )


@st.composite
def attempts(draw: st.DrawFn, of: st.SearchStrategy[TaskRef] = refs) -> Attempt:
    made = draw(inputs)
    return Attempt(
        ref=draw(of),
        reference=draw(text),
        inputs=made,
        digest=digest(made),
        identity=draw(identities),
        file=draw(text),
        started_at=draw(moments),
        settle_time=draw(st.floats(0, 1e6)),
        waited=draw(st.floats(0, 1e6)),
    )


@st.composite
def planned_tasks(draw: st.DrawFn, of: st.SearchStrategy[TaskRef] = refs) -> PlannedTask:
    """Any combination of fields, including those that the planner never produces."""
    ref = draw(of)
    just = st.just(ref)
    return PlannedTask(
        ref=ref,
        action=draw(st.sampled_from(Action)),
        reason=draw(st.sampled_from(Reason)),
        file=draw(text),
        line=draw(lines),
        task_id=draw(maybe_text),
        diff=tuple(draw(st.lists(changes, max_size=3))),
        remarks=tuple(draw(st.lists(remarks(text), max_size=3))),
        desired=draw(st.none() | desired_tasks(just)),
        record=draw(st.none() | records(just)),
        remote=draw(st.none() | remotes),
        attempt=draw(st.none() | attempts(just)),
        moved_from=draw(st.none() | refs),
        candidate=draw(st.none() | remotes),
        patch=draw(st.dictionaries(text, values, max_size=2)),
        only_recorded=tuple(draw(st.lists(text, max_size=1))),
    )


counts = st.integers(0, 10_000)
tokens = st.integers(0, MAX_TOKENS)
budgets = st.builds(Budget, text, tokens, tokens, st.booleans(), st.none() | moments, text)
outlooks = st.builds(Outlook, budgets, moments)


# A saved plan is UTF-8, which has no lone surrogates.
plain = text.filter(lambda value: "\ud800" not in value)
durations = st.timedeltas(timedelta(), timedelta(days=400))
plan_options = st.builds(
    PlanOptions,
    settle_time=durations,
    wait=st.booleans(),
    allow_recreate=st.lists(plain, max_size=2).map(tuple),
    max_creates=st.none() | st.integers(0, 100),
    update=st.booleans(),
    replace=st.lists(plain, max_size=2).map(tuple),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    chosen = sorted(draw(st.lists(refs, unique=True, max_size=3)))
    return Plan(
        backend=draw(text),
        scope=tuple(draw(st.lists(text.map(lambda name: name.replace("\0", "")), max_size=2))),
        tasks=tuple(draw(planned_tasks(st.just(ref))) for ref in chosen),
        identity=draw(st.none() | identities),
        complete=draw(st.booleans()),
        diagnostics=tuple(draw(st.lists(diagnostics, max_size=3))),
        options=draw(plan_options),
        lineage=draw(text),
        closed=tuple(draw(st.lists(text, max_size=2))),
        budgets=tuple(draw(st.lists(outlooks, max_size=2))),
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    recorded = [draw(records(st.just(ref))) for ref in draw(st.lists(refs, max_size=2))]
    tried = draw(st.lists(attempts(), max_size=2))
    return State(
        lineage=draw(text),
        serial=draw(st.integers(0, 99)),
        backend=draw(text),
        provenance=PROVENANCE,
        records={record.ref: record for record in recorded},
        attempts={attempt.number: attempt for attempt in tried},
    )
