"""Reports of every kind, with text that tries to break out of each format."""

from __future__ import annotations

from hypothesis import strategies as st

from reconciler.app.apply import ApplyWaitReport
from reconciler.app.results import ResultsReport
from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.app.wait import End, WaitReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.plan import Plan
from reconciler.render import Report
from reconciler.tasks.events import Approval, EventSummary, Last, ToolCall
from reconciler.tasks.status import TaskStatus
from tests.support import plan_strategies as some
from tests.support.remark_cases import remarks

OUTBREAKS = (
    "@octocat and @acme/platform",
    "fixes #123, acme/infra#7, GH-5 and ABC-12",
    "0123456789abcdef0123456789abcdef01234567",
    "https://evil.example/?a=b www.evil.example mailto:a@b.example a@b.example",
    "[click](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example>",
    "a | b \\| c \\",
    "`a` ``b`` ```c```` `",
    "````````\n~~~~\n```diff\n</details>\n<details open>",
    "</code></pre></td></table></summary></details><img src=x onerror=alert(1)>",
    "<script>document.title='broken'</script><svg onload=alert(1)>",
    "\"><b x='",
    "--> ]]> <![CDATA[ <!-- &lt; &#64;x &amp;",
    ":tada: $x$ **b** _i_ ~~s~~ # h",
    "\n\n\n# heading\n\n---\n- item\n    code\n",
    "{{body}} {{policy}} ${x} %s {0}",
    "::error file=x,line=1::boom%0A%25,a:b",
    "javascript:alert(1)",
    "<!-- taskctl -->",
    "\ufffe\uffff\x00\x0b",
    " ",
    "",
)

text = st.one_of(st.sampled_from(OUTBREAKS), some.text)
long_text = st.lists(text, max_size=6).map("\n".join)

_problems = st.lists(
    st.builds(
        lambda found, summary, detail, file, key: replace(
            found,
            args={"key": "", "why": summary, "hint": detail},
            at=replace(found.at, file=file, key=key),
        ),
        some.diagnostics,
        text,
        long_text,
        st.none() | text,
        st.none() | text,
    ),
    max_size=4,
).map(tuple)

_results = st.builds(
    TaskResult,
    ref=st.builds(TaskRef, text, text),
    result=st.sampled_from(Result),
    task_id=st.none() | text,
    url=st.none() | text,
    problems=st.lists(remarks(long_text), max_size=3).map(tuple),
    file=st.none() | text,
    line=some.lines,
)

_repositories = st.fixed_dictionaries(
    {"type": st.just("repository"), "org": text, "name": text},
    optional={"forge": st.sampled_from(["github", "gitlab"]) | text, "host": text},
)
_pull_requests = st.fixed_dictionaries(
    {
        "type": st.just("pull_request"),
        "number": st.integers(-1, 9),
        "merged": st.booleans(),
        "repo": _repositories,
    }
)
_approvals = st.builds(
    Approval,
    text,
    text,
    st.fixed_dictionaries(
        {"timestamp": st.just("2026-11-24T14:44:49Z") | text},
        optional={
            "approval_type": text,
            "context": st.fixed_dictionaries({"tool_name": st.just("ask_user") | text}),
        },
    ),
)
_calls = st.builds(ToolCall, text, text, st.sampled_from(["", "cloud", "cli", "worker"]))
statuses = st.builds(
    TaskStatus,
    ref=st.builds(TaskRef, text, text),
    state=st.sampled_from(TaskState),
    file=text,
    task_id=st.none() | text,
    url=st.none() | text,
    raw=st.fixed_dictionaries({"entities": st.lists(_pull_requests, max_size=2)}),
    summary=st.builds(
        EventSummary,
        last=st.sampled_from(Last),
        words=long_text,
        approvals=st.lists(_approvals, max_size=2).map(tuple),
        parked=st.lists(_calls, max_size=2).map(tuple),
    ),
    unmet=_problems,
)

_status_tuples = st.lists(statuses, max_size=4, unique_by=lambda s: s.ref).map(tuple)


@st.composite
def hostile_plans(draw: st.DrawFn) -> Plan:
    plan = draw(some.plans())
    tasks = tuple(
        replace(
            task,
            remarks=tuple(draw(st.lists(remarks(long_text), max_size=3))),
            file=draw(text),
            task_id=draw(st.none() | text),
            diff=tuple(
                replace(change, path=draw(text), before=draw(long_text), after=draw(long_text))
                for change in task.diff
            ),
        )
        for task in plan.tasks
    )
    budgets = tuple(
        replace(one, budget=replace(one.budget, org_name=draw(text), window_kind=draw(text)))
        for one in plan.budgets
    )
    return replace(
        plan, tasks=tasks, backend=draw(text), diagnostics=draw(_problems), budgets=budgets
    )


reports: st.SearchStrategy[Report] = st.one_of(
    hostile_plans(),
    st.builds(
        ApplyReport,
        st.lists(_results, max_size=4, unique_by=lambda r: (r.ref.org_name, r.ref.key)).map(tuple),
        _problems,
    ),
    st.builds(
        ApplyWaitReport,
        st.lists(_results, max_size=2, unique_by=lambda r: r.ref).map(tuple),
        _problems,
        statuses=_status_tuples,
        end=st.sampled_from(End),
        read_at=some.moments,
        held_tasks=st.lists(some.planned_tasks(), max_size=2).map(tuple),
    ),
    st.builds(WaitReport, _status_tuples, st.sampled_from(End), some.moments, _problems),
    st.builds(
        ResultsReport, _status_tuples, some.moments, st.none() | st.integers(0, 2), _problems
    ),
    st.builds(
        ValidateReport,
        st.integers(0, 9),
        st.integers(0, 9),
        _problems,
        st.lists(some.desired_tasks(), max_size=3).map(tuple),
        st.lists(text, max_size=3).map(tuple),
    ),
    st.builds(FailureReport, _problems),
)
