"""Reports as SARIF 2.1.0, for code scanning and editors.

Rules are diagnostic codes, and actions or results of tasks. A diagnostic without a file is a
notification of the run, as the standard requires. Fingerprints contain neither lines nor arguments,
so a problem keeps its identity when lines move.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.messages import word
from reconciler.messages.catalog import entry as entry_of
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import templates
from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.render import safe
from reconciler.render.document import dump
from reconciler.render.issues import Issue, issues
from reconciler.render.style import Style
from reconciler.render.view import ReportView

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "taskctlProblem/v1"


def render(view: ReportView, style: Style) -> str:
    """One ASCII document whose text contains no links."""
    found = list(issues(view, style, _worded))
    rules = sorted({problem.rule for problem in found})
    index = {rule: place for place, rule in enumerate(rules)}
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "taskctl",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "automationDetails": {
            "id": f"taskctl/{view.command or 'failed'}/",
            **({"description": {"text": f"Plan{view.target}"}} if view.target else {}),
        },
        "invocations": [
            {
                "executionSuccessful": bool(view.command),
                "toolExecutionNotifications": [
                    _notification(problem, index) for problem in found if problem.at.file is None
                ],
            }
        ],
        "results": _results([problem for problem in found if problem.at.file is not None], index),
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _results(found: Iterable[Issue], index: Mapping[str, int]) -> list[dict[str, object]]:
    seen: Counter[str] = Counter()
    results = []
    for problem in found:
        at = problem.at
        same = digest([problem.rule, at.file, at.key, list(at.path)])
        seen[same] += 1  # distinguishes equal results
        place = _location(at.file or "", at.line, at.column)
        result = {
            "ruleId": problem.rule,
            "ruleIndex": index[problem.rule],
            "level": problem.level,
            "message": {"text": _text(problem.text)},
            "locations": [{"physicalLocation": place}],
        }
        if (row := at.row) is not None:  # the row that the task was generated from
            result["relatedLocations"] = [
                {"id": 0, "physicalLocation": _location(row.file, row.line, None)}
            ]
        results.append({**result, "partialFingerprints": {FINGERPRINT: f"{same}:{seen[same]}"}})
    return results


def _notification(problem: Issue, index: Mapping[str, int]) -> dict[str, object]:
    rule = {"id": problem.rule, "index": index[problem.rule]}
    return {
        "descriptor": rule,
        "associatedRule": rule,
        "level": problem.level,
        "message": {"text": _text(problem.text)},
    }


def _location(file: str, line: int | None, column: int | None) -> dict[str, object]:
    uri = quote(file.encode("utf-8", "backslashreplace"), safe="/")
    place: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}
    if line is not None:
        place["region"] = {"startLine": max(line, 1)}
        if column is not None:
            place["region"]["startColumn"] = max(column, 1)
    return place


def _worded(problem: Diagnostic, commands: Commands) -> str:
    message = word(problem, commands)
    return "\n".join(part for part in (message.summary, message.explanation) if part)


def _rule(rule: str) -> dict[str, Any]:
    if (known := templates("remarks").get(rule)) is not None:
        title, why, _ = known
        name, fix = rule, why
    else:
        title, why, fix, _ = entry_of(Code(rule))
        name = title
    words = re.split(r"[^A-Za-z0-9]+", name)
    return {
        "id": rule,
        "name": "".join(word[:1].upper() + word[1:] for word in words),
        "shortDescription": {"text": title},
        "fullDescription": {"text": why},
        "help": {"text": fix},
    }


def _text(text: str) -> str:
    """Escaped, and without brackets that form links."""
    return safe.block(text).replace("](", "] (")
