"""JSON documents: the parts that they share, and their text, with list items on separate lines.

`schemas/` has the JSON Schemas of documents about tasks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler.messages import word
from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.messages.template import Words
from reconciler.model.budget import Outlook
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339

if TYPE_CHECKING:
    from reconciler.plan.plan import Change

FORMAT_VERSION = 1

Document = dict[str, Any]
"""An object of JSON. Members without a value are null, or absent if `given` omits them."""

# Workflow runners find this anywhere in a line. In JSON, it only occurs in strings, so it can be
# escaped.
_COMMAND = r"##(?=\w*\[)"


def json_document(
    diagnostics: Iterable[Diagnostic] = (),
    commands: Commands = AS_WRITTEN,
    /,
    **members: object,
) -> Document:
    """A document with `formatVersion`, `diagnostics` and these members."""
    return {
        "formatVersion": FORMAT_VERSION,
        "diagnostics": diagnostic_items(diagnostics, commands),
        **members,
    }


def given(**members: object) -> Document:
    """The members that are neither empty nor None."""
    return {name: value for name, value in members.items() if value}


def timestamp(moment: datetime | None) -> str | None:
    """The moment as in RFC 3339."""
    return rfc3339(moment) if moment is not None else None


def diagnostic_items(diagnostics: Iterable[Diagnostic], commands: Commands) -> list[Document]:
    """The diagnostics as JSON objects."""
    return [_diagnostic_item(diagnostic, commands) for diagnostic in diagnostics]


def _diagnostic_item(diagnostic: Diagnostic, commands: Commands) -> Document:
    summary, detail, command = word(diagnostic, commands)
    row = diagnostic.at.row
    return {
        "code": diagnostic.code.value,
        "severity": diagnostic.severity.value,
        "summary": summary,
        "detail": "\n".join(part for part in (detail, command) if part),
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "key": diagnostic.key,
        **({"related": [{"file": row.file, "line": row.line}]} if row is not None else {}),
    }


def hint_items(words: Words) -> list[Document]:
    """The hints of remarks as JSON objects."""
    return [{"text": hint.text, "commands": list(hint.commands)} for hint in words.hints]


def change_item(change: Change) -> Document:
    """A difference as a JSON object. An absent side has no member, because null is a value."""
    sides = {"before": change.before, "after": change.after}
    return {
        "path": change.path,
        **{name: side for name, side in sides.items() if side is not ABSENT},
        "origin": change.origin.value,
        "inPlace": change.in_place,
    }


def budget_part(outlooks: Iterable[Outlook]) -> Document | None:
    """The token budgets; None if there are none."""
    items = [_budget_item(outlook) for outlook in outlooks]
    return {"organizations": items} if items else None


def _budget_item(outlook: Outlook) -> Document:
    budget = outlook.budget
    return {
        "orgName": budget.org_name,
        "usedTokens": budget.used,
        "allowanceTokens": budget.allowance,
        "exhausted": budget.exhausted,
        "windowEnd": timestamp(budget.window_end),
        "windowKind": budget.window_kind,
        "readAt": rfc3339(outlook.read_at),
    }


def dump(document: Mapping[str, object]) -> str:
    """The text of a document, in ASCII, which any terminal and encoding can represent."""
    members = [f"{json.dumps(name)}: {_value(value)}" for name, value in document.items()]
    return inert("{" + ",\n ".join(members) + "}\n")


def json_line(value: Mapping[str, object]) -> str:
    """A document on one line (JSON Lines)."""
    return inert(json.dumps(value)) + "\n"


def inert(text: str) -> str:
    """ASCII JSON without texts that a workflow runner interprets as commands."""
    return re.sub(_COMMAND, r"\\u0023#", text)


def _value(value: object) -> str:
    """A value as JSON, with list items on separate lines."""
    if not isinstance(value, list | tuple) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(map(json.dumps, value)) + "]"
