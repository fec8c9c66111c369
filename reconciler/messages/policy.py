"""TC5xx: policy and budget."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_SET = "(policy set in {config})"
_EXHAUSTED = (
    "the Neo token budget of {org} is exhausted: {used:tokens} of {allowance:tokens} tokens"
    "{until:until}"
)
_OVER_BUDGET = (
    "Wait for the next window, raise the limit, or try anyway (a saved plan keeps its options: "
    "make it with --over-budget):"
)

ENTRIES = {
    Code.POLICY_VIOLATION: Entry(
        title="Policy violation",
        why="The policy of the repository (`policy` in taskctl.toml) asks more of a task than the "
        "manifest schema does.",
        fix="Change the task, or the policy. A policy explains its rules with `errorMessage`.",
        cases={
            "own": Message("policy: {message}", "{detail}"),
            "required": Message("policy: required"),
            "forbidden": Message("policy: not allowed"),
            "const": Message("policy: must be {wants}"),
            "enum": Message("policy: must be one of {wants}"),
            "": Message("policy: does not satisfy {rule}: {wants}"),
        },
    ),
    Code.INVALID_POLICY: Entry(
        title="Invalid policy",
        why="A policy that cannot be evaluated would allow everything, so nothing runs without it.",
        fix="Correct the policy: it is a JSON Schema, in JSON or YAML.",
        cases={
            "type": Message(f"a policy is a JSON Schema, which is an object {_SET}"),
            "dialect": Message(f"unknown $schema {{dialect:q}} {_SET}"),
            "schema": Message(f"invalid JSON Schema: {{where}}: {{reason:q}} {_SET}"),
            "schema-root": Message(f"invalid JSON Schema: {{reason:q}} {_SET}"),
            "recursion": Message(f"infinite recursion, or nested too deeply {_SET}"),
            "depth": Message(f"nested too deeply {_SET}"),
            "failure": Message(f"cannot be evaluated: {{reason:q}} {_SET}"),
            "steps": Message(f"takes more than {{limit:n}} steps for one task {_SET}"),
            "time": Message(f"takes more than {{limit}} s for one task {_SET}"),
            "encoding": Message(f"not UTF-8 {_SET}"),
            "json": Message("invalid JSON: {reason}"),
            "number": Message(f"contains a number with too many digits {_SET}"),
            "message": Message(f"{{where}} must be text {_SET}"),
            "severity": Message(f"{{where}} must be error or warning {_SET}"),
        },
    ),
    Code.POLICY_REFERENCE: Entry(
        title="Reference in a policy",
        why="A policy resolves references only within itself. Nothing is fetched or opened for it.",
        fix="Put the schema that is referred to under `$defs`, and refer to it as `#/$defs/NAME`.",
        cases={
            "": Message(
                f"{{where}} refers to {{target:q}}, outside of the policy {_SET}",
                "Nothing is fetched. Put the schema under $defs.",
            ),
            "unresolved": Message(f"a $ref has no target: {{target:q}} {_SET}"),
        },
    ),
    Code.BUDGET_EXHAUSTED: Entry(
        title="Token budget exhausted",
        why="The Neo token budget of the organization is used up. The service rejects new tasks, "
        "or they would be billed separately.",
        fix="Wait for the next window, raise the limit, or try with `--over-budget`.",
        cases={
            "refused": Message(
                f"{_EXHAUSTED}; nothing was created",
                _OVER_BUDGET,
                "taskctl apply --over-budget",
            ),
            "planned": Message(
                f"{_EXHAUSTED}; apply would fail",
                _OVER_BUDGET,
                "taskctl apply --over-budget",
            ),
            "ignored": Message(
                _EXHAUSTED,
                "--over-budget: apply creates the tasks if the service allows it.",
            ),
        },
    ),
    Code.TOO_MANY_CREATES: Entry(
        title="Too many creates",
        why="`maxCreates` in a manifest, or `--max-creates`, limits how many tasks an apply may "
        "create, so that a mistake does not start hundreds of agents.",
        fix="Raise the limit if the number is right.",
        cases={
            "": Message(
                "{count} tasks would be created; at most {limit} are allowed",
                "Nothing was sent. If the number is right, run:",
                "taskctl apply --max-creates {count:sh}",
            )
        },
    ),
}
