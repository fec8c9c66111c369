"""The parts that JSON documents share, and how they are made from values.

Each published document is a struct next to the other outputs of its command. The schemas in
`schemas/` are generated from these structs (`python -m tools.reference`), so a field and its
description are declared once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.messages import word
from reconciler.messages.template import Words
from reconciler.model.budget import Outlook
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.plan.plan import Change

T = TypeVar("T")

FORMAT_VERSION: Literal[1] = 1

FormatVersion = Annotated[
    Literal[1],
    Meta(description="Version of this format. It increases only if existing readers would break."),
]
Count = Annotated[int, Meta(ge=0)]
Position = Annotated[int, Meta(ge=1)]
Time = Annotated[str, Meta(examples=["2026-11-24T14:44:49Z"])]
"""RFC 3339."""


OrgName = Annotated[str, Meta(description="The organization.")]
TaskID = Annotated[
    str | None, Meta(description="The task ID; null if there is none or it is uncertain.")
]
Url = Annotated[str | None, Meta(description="The task's page in Pulumi Cloud.")]
MANIFEST = Meta(description="The manifest that declares, or declared, the task.")
File = Annotated[str | None, MANIFEST]
Line = Annotated[
    Position | None, Meta(description="Line of the key in the manifest; null if in none.")
]


class Part(Struct, rename="camel"):
    """An object in a document. A field with the default UNSET is absent unless it has a value; all
    others are always present, and null if they have none."""


class TaskPart(Part, kw_only=True):
    """The members that each task of a document begins with."""

    key: Annotated[str, Meta(description="The key, unique in the organization.")]
    org_name: OrgName


class DataRowItem(Part, kw_only=True):
    """A row of values from which a task is generated."""

    file: Annotated[str, Meta(description="The data file.")]
    line: Annotated[Position, Meta(description="Line in the file, from 1.")]


class DiagnosticItem(Part, kw_only=True):
    """A problem and its location."""

    code: Annotated[
        str,
        Meta(
            description="The diagnostic code. Stable, unlike the wording; `taskctl explain "
            "CODE` explains it.",
            pattern="^TC[0-9]{3}$",
        ),
    ]
    severity: Annotated[
        str,
        Meta(
            description="`error` makes the command fail; `warning` and `note` do not.",
            examples=["error", "warning", "note"],
        ),
    ]
    summary: Annotated[str, Meta(description="The location and the problem, on one line.")]
    detail: Annotated[
        str, Meta(description="Why it matters and how to fix it. Empty, or several lines.")
    ]
    file: Annotated[str | None, Meta(description="The file that contains the problem.")]
    line: Annotated[Position | None, Meta(description="Line in the file, from 1.")]
    column: Annotated[Position | None, Meta(description="Column in the line, from 1.")]
    key: Annotated[str | None, Meta(description="Key of the task that has the problem.")]
    related: Annotated[
        list[DataRowItem] | UnsetType,
        Meta(description="The data row from which the task is generated."),
    ] = UNSET


Diagnostics = Annotated[
    list[DiagnosticItem], Meta(description="Errors, warnings and notes, sorted by file and line.")
]


class CommandDocument(Part, kw_only=True):
    """The members that most documents begin with."""

    format_version: FormatVersion = FORMAT_VERSION
    diagnostics: Diagnostics


class HintItem(Part, kw_only=True):
    """How to proceed."""

    text: Annotated[
        str, Meta(description="The purpose of the commands, or the change to make. May be empty.")
    ]
    commands: Annotated[
        list[str], Meta(description="Alternative commands, quoted for a POSIX shell.")
    ]


Hints = Annotated[
    list[HintItem], Meta(description="How to proceed. Absent if nothing needs to be done.")
]


class BudgetItem(Part, kw_only=True):
    """The Neo token budget of an organization: the limit that will be reached first."""

    org_name: OrgName
    used_tokens: Annotated[Count, Meta(description="Tokens used in this window.")]
    allowance_tokens: Annotated[Count, Meta(description="Tokens allowed in this window.")]
    exhausted: Annotated[
        bool,
        Meta(description="Whether the allowance is used up. Apply then requires `--over-budget`."),
    ]
    window_end: Annotated[
        Time | None, Meta(description="End of the window (RFC 3339, UTC); null if it has none.")
    ]
    window_kind: Annotated[str, Meta(description="The kind of window, as reported by the service.")]
    read_at: Annotated[
        Time, Meta(description="Time at which the budget was read, by the service's clock.")
    ]


class Budgets(Part, kw_only=True):
    """The Neo token budgets."""

    organizations: Annotated[
        list[BudgetItem],
        Meta(description="The budget of each organization that has one."),
    ]


class ChangeItem(Part, kw_only=True):
    """A field that differs. `before` or `after` is absent if that side has no such field; null is a
    value."""

    path: Annotated[
        str,
        Meta(description="The field.", examples=["approvalMode", "enabledIntegrations[0].id"]),
    ]
    before: Annotated[Any | UnsetType, Meta(description="The current value.")] = UNSET
    after: Annotated[Any | UnsetType, Meta(description="The value in the manifest.")] = UNSET
    origin: Annotated[
        str,
        Meta(
            description="The side that changed. `remote` is the service.",
            examples=["manifest", "remote", "both"],
        ),
    ]
    in_place: Annotated[
        bool,
        Meta(
            description="Whether the existing task can be changed, with `--update` or manually. If "
            "false, only a new task can have the value. False for a setting that was removed from "
            "the manifest, because the API does not return its default."
        ),
    ]


def given(value: T | None) -> T | UnsetType:
    """UNSET, which omits the field, for a value that is empty or None."""
    return value if value else UNSET


def timestamp(moment: datetime | None) -> str | None:
    """The moment as in RFC 3339."""
    return rfc3339(moment) if moment is not None else None


def diagnostic_items(diagnostics: Iterable[Diagnostic]) -> list[DiagnosticItem]:
    """The diagnostics in words."""
    return [_diagnostic_item(diagnostic) for diagnostic in diagnostics]


def _diagnostic_item(diagnostic: Diagnostic) -> DiagnosticItem:
    summary, detail, command = word(diagnostic)
    row = diagnostic.at.row
    return DiagnosticItem(
        code=diagnostic.code.value,
        severity=diagnostic.severity.value,
        summary=summary,
        detail="\n".join(part for part in (detail, command) if part),
        file=diagnostic.file,
        line=diagnostic.line,
        column=diagnostic.column,
        key=diagnostic.key,
        related=UNSET if row is None else [DataRowItem(file=row.file, line=row.line)],
    )


def hint_items(words: Words) -> list[HintItem] | UnsetType:
    """The hints of remarks."""
    return given([HintItem(text=hint.text, commands=list(hint.commands)) for hint in words.hints])


def change_item(change: Change) -> ChangeItem:
    """A difference."""
    return ChangeItem(
        path=change.path,
        before=UNSET if change.before is ABSENT else change.before,
        after=UNSET if change.after is ABSENT else change.after,
        origin=change.origin.value,
        in_place=change.in_place,
    )


def budget_part(outlooks: Iterable[Outlook]) -> Budgets:
    return Budgets(organizations=[_budget_item(outlook) for outlook in outlooks])


def _budget_item(outlook: Outlook) -> BudgetItem:
    found = outlook.budget
    return BudgetItem(
        org_name=found.org_name,
        used_tokens=found.used,
        allowance_tokens=found.allowance,
        exhausted=found.exhausted,
        window_end=timestamp(found.window_end),
        window_kind=found.window_kind,
        read_at=rfc3339(outlook.read_at),
    )
