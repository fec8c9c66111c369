"""Reports as SARIF 2.1.0, for code scanning and for editors.

A rule is what a problem is about: a setting of the manifest, with the schema's words for it as its
help, or what became of a task. A problem in no file is a notification of the run, as the standard
has it. Fingerprints hold no line, so that a problem is the same one after lines moved.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from reconciler import __version__
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import POLICY, Diagnostic, Severity
from reconciler.render import safe
from reconciler.render.entries import Entry, Level, command_of, entries, located
from reconciler.render.json import dump
from reconciler.render.reports import FailureReport, Report, Style
from reconciler.resources import schema_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "taskctlProblem/v1"

_WHERE = re.compile(r"(?P<top>[A-Za-z]\w*)(?P<rest>(?:\.[\w-]+|\[(?:\d+|\"[^\"]*\")\])*)…?: ")
_STEP = re.compile(r"\.([\w-]+)|\[(?:\d+|\"([^\"]*)\")\]")
_FIXED = {
    "manifest": (
        "A manifest cannot be read",
        "A manifest is one YAML 1.2 document in UTF-8: version, tasks and what they share.",
    ),
    "manifest/task": (
        "A task of a manifest",
        "A task has a key of its own, a message, and settings that the manifest's schema knows.",
    ),
    "manifest/unknown": (
        "A setting that is not known",
        "What a manifest does not know would be ignored in silence, so it is refused.",
    ),
    "policy": (
        "A task against the policy of its repository",
        "What `policy` names in taskctl.toml asks more of a task than the manifest's schema does.",
    ),
    "problem": (
        "A problem beside the manifests",
        "The state, a saved plan or the service is not as it must be; the message says what to do.",
    ),
    "task/unresolved": (
        "A task may exist already",
        "Not created before that is settled: a second one could not be deleted again.",
    ),
    "task/gone": (
        "The service does not find a task any more",
        "It was recorded and is left alone: apply creates it anew only with --allow-recreate.",
    ),
    "task/failed": ("A task was not created", "The service refused it; the message says why."),
    "task/waiting": ("A task waits for a person", "Answer it: taskctl approve, or reject."),
    "task/running": ("A task is not done yet", "The time to wait for it was up."),
    "task/stopped": ("A task stopped before it was done", "Its session ended without a last word."),
    "task/cancelled": ("A task was cancelled", "Somebody ended what it did."),
    "task/notVisible": ("A task cannot be seen", "Another identity made it, and did not share it."),
    "task/notStarted": ("A task was not started", "apply ended before it; run it again."),
}


class _Problem(NamedTuple):
    """`what` tells it from others of its rule and file, whatever line it is in."""

    rule: str
    level: str
    text: str
    what: str
    file: str | None
    line: int | None
    column: int | None = None
    key: str | None = None


def render(report: Report, style: Style) -> str:
    """One document; ASCII, and none of its text is a link."""
    settings = _settings()
    found = [_of_problem(problem, settings) for problem in located(report, style)]
    found += [_of_task(entry) for entry in entries(report, style) if entry.level is not None]
    rules = sorted({problem.rule for problem in found})
    index = {rule: place for place, rule in enumerate(rules)}
    failed = isinstance(report, FailureReport)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "taskctl",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule, settings) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"taskctl/{command_of(report) or 'failed'}/"},
        "invocations": [
            {
                "executionSuccessful": not failed,
                "toolExecutionNotifications": [
                    _notification(problem, index) for problem in found if problem.file is None
                ],
            }
        ],
        "results": _results([problem for problem in found if problem.file is not None], index),
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _results(found: Iterable[_Problem], index: Mapping[str, int]) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results = []
    for problem in found:
        same = digest([problem.rule, problem.file, problem.key, problem.what])
        seen[same] += 1  # the second of two that are alike in all is still another one
        results.append(
            {
                "ruleId": problem.rule,
                "ruleIndex": index[problem.rule],
                "level": problem.level,
                "message": {"text": _text(problem.text)},
                "locations": [{"physicalLocation": _place(problem)}],
                "partialFingerprints": {FINGERPRINT: f"{same}:{seen[same]}"},
            }
        )
    return results


def _notification(problem: _Problem, index: Mapping[str, int]) -> dict[str, Any]:
    return {
        "descriptor": {"id": problem.rule, "index": index[problem.rule]},
        "associatedRule": {"id": problem.rule, "index": index[problem.rule]},
        "level": problem.level,
        "message": {"text": _text(problem.text)},
    }


def _place(problem: _Problem) -> dict[str, Any]:
    uri = quote((problem.file or "").encode("utf-8", "backslashreplace"), safe="/")
    place: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}
    if problem.line is not None:
        place["region"] = {"startLine": max(problem.line, 1)}
        if problem.column is not None:
            place["region"]["startColumn"] = max(problem.column, 1)
    return place


def _of_problem(problem: Diagnostic, settings: Mapping[str, tuple[str, str]]) -> _Problem:
    text = "\n".join(part for part in (problem.summary, problem.detail) if part)
    level = "error" if problem.severity is Severity.ERROR else "warning"
    rule = _rule_of(problem, settings)
    where = (problem.file, problem.line, problem.column, problem.key)
    return _Problem(rule, level, text, problem.summary, *where)


def _of_task(entry: Entry) -> _Problem:
    text = f"{entry.key}: " + "\n".join(entry.lines)
    level = str(entry.level or Level.NOTE)
    what = f"{entry.org_name}/{entry.key}"
    return _Problem(f"task/{entry.word}", level, text, what, entry.file, entry.line, key=entry.key)


def _rule_of(problem: Diagnostic, settings: Mapping[str, tuple[str, str]]) -> str:
    """From the place in the data with which every problem of a manifest begins its summary."""
    found = _WHERE.match(problem.summary)
    if problem.file is None or found is None:
        return "problem"
    if found["top"] == "manifest":
        return "manifest"
    if problem.summary.startswith(POLICY, found.end()):
        return "policy"
    steps = [a or b for a, b in _STEP.findall(found["rest"])]
    if found["top"] in ("tasks", "defaults"):
        depth = 1 if found["top"] == "tasks" else 0
        if len(steps) <= depth:
            return "manifest/task" if steps else f"manifest/{found['top']}"
        name = steps[depth]
    else:
        name = found["top"]
    return f"manifest/{name}" if name in settings else "manifest/unknown"


def _rule(rule: str, settings: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    title, help_text = _FIXED.get(rule) or settings[rule.removeprefix("manifest/")]
    words = re.split(r"[/_-]", rule)
    return {
        "id": rule,
        "name": "".join(word[:1].upper() + word[1:] for word in words),
        "shortDescription": {"text": title},
        "fullDescription": {"text": help_text},
        "help": {"text": help_text},
    }


def _settings() -> dict[str, tuple[str, str]]:
    """Title and description of each setting, from the manifest's schema."""
    schema = json.loads(schema_text("manifest"))
    task = schema["definitions"]["task"]
    found = {}
    for name, body in {**task["properties"], **schema["properties"]}.items():
        reference = body.get("$ref", "").rpartition("/")[2]
        known = {**schema["definitions"].get(reference, {}), **body}
        found[name] = (known.get("title") or name, known.get("description") or name)
    return found


def _text(text: str) -> str:
    """Inert, and without the brackets that make a link of it."""
    return safe.block(text).replace("](", "] (")
