"""The rules that `schemas/manifest.schema.json` holds, and its verdicts in plain words.

jsonschema is the reference: it says what is wrong. jsonschema-rs, where it is installed, only says
that nothing is, which spares importing the other; both agree (a property test).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.manifest.problem import Problem
from reconciler.model.diagnostics import Path
from reconciler.model.paths import quoted, shown
from reconciler.resources import schema_text

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_YAML_1_1_BOOLEANS = {"on": "true", "yes": "true", "off": "false", "no": "false"}
_MERGE = "YAML 1.2 has no merge key; put what tasks share under `defaults`"
_MESSAGE_PATH = ("tasks", "KEY", "message")
_MISSING = {
    "version": "is missing; write `version: 1`",
    "tasks": "is missing; a manifest without a task says `tasks: {}`",
    "message": "is missing: what is the agent to do? (Only a task with `taskID` goes without.)",
    "content": "is missing; give the prompt, or its file as `contentFile`",
}
_MISPLACED = {
    ("defaults", "message"): "belongs to one task and has no default",
    ("defaults", "taskID"): "belongs to one task and has no default",
    ("defaults", "movedFrom"): "belongs to one task and has no default",
    (
        "message",
        "timestamp",
    ): "cannot be given: taskctl sets it, to find each create again",
}


def check(data: Any) -> list[Problem]:
    """What the schema finds wrong with a document; empty where it is a manifest."""
    accepts = _accelerator()
    if accepts is not None and accepts(data):
        return []
    if not isinstance(data, dict) or not data.keys() & {"version", "tasks"}:
        what = "this is no manifest: it has neither `version` nor `tasks`"
        return [Problem((), what, "Give taskctl the files or the folder with its manifests.")]
    return explain(data if accepts is None else _suspects(data, accepts))


class Found(NamedTuple):
    """What a value breaks: the rule of that name, which wants `wants`, of `schema`, found by
    `steps` from the root, where no reference that was followed is named."""

    path: Path
    steps: Path
    rule: str | None
    wants: Any
    value: Any
    schema: Any


class BadSchemaError(ValueError):
    """A JSON Schema of somebody else's that cannot be used; the text says why."""


MOST_STEPS = 1_000_000
"""Keywords that are looked at for one value: a schema may refer to itself twice over."""


def judge_of(schema: Mapping[str, Any]) -> Callable[[Any], list[Found]]:
    """What finds the errors of a value by a schema whose `$ref`s all stay in it. BadSchemaError,
    here or for a value. The reference validator alone: its verdict is the same everywhere."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    named = schema.get("$schema")
    unknown: Any = None
    kind: Any = Draft202012Validator
    steps = [0]
    with _faults():
        if named is not None:
            kind = validator_for({"$schema": str(named)}, unknown)
        if kind is None:
            raise BadSchemaError(f"its $schema {_shown(named)} is not known")
        kind.check_schema(schema)
        validator = _counting(kind, steps)(schema)

    def judge(value: Any) -> list[Found]:
        steps[0] = 0
        with _faults():
            return [_found(error) for error in validator.iter_errors(value)]

    return judge


@contextmanager
def _faults() -> Iterator[None]:
    """Whatever a schema makes the library stumble over is a fault of the schema."""
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        yield
    except BadSchemaError:
        raise
    except SchemaError as problem:
        where = shown(tuple(problem.absolute_path)) if problem.absolute_path else "its root"
        what = f"it is no JSON Schema: {where}: {quoted(problem.message)}"
        raise BadSchemaError(what) from problem
    except Unresolvable as problem:
        raise BadSchemaError(f"a $ref leads nowhere: {quoted(str(problem))}") from problem
    except RecursionError as problem:
        what = "it refers to itself without end, or is nested too deeply"
        raise BadSchemaError(what) from problem
    except Exception as problem:
        what = f"{type(problem).__name__}: {problem}".partition("\n")[0]
        raise BadSchemaError(f"it cannot be used: {quoted(what)}") from problem


def _found(error: ValidationError) -> Found:
    path, steps = tuple(error.absolute_path), tuple(error.absolute_schema_path)
    wants: Any = error.validator_value
    name = error.validator if isinstance(error.validator, str) else None
    return Found(path, steps, name, wants, error.instance, error.schema)


def _counting(kind: Any, steps: list[int]) -> Any:
    from jsonschema import validators

    def counted(rule: Any) -> Any:
        def look(*arguments: Any) -> Any:
            steps[0] += 1
            if steps[0] > MOST_STEPS:
                raise BadSchemaError("it takes more than a million steps for one task")
            return rule(*arguments)

        return look

    extend: Any = validators.extend
    return extend(kind, {name: counted(rule) for name, rule in kind.VALIDATORS.items()})


def explain(data: Any) -> list[Problem]:
    """The verdict of the reference validator, alone."""
    problems: dict[Problem, None] = {}
    for error in _reference().iter_errors(data):
        problems.update(dict.fromkeys(_worded(error)))
    return list(problems)


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text("manifest"))
    return schema


@cache
def _accelerator() -> Callable[[Any], bool] | None:
    try:
        import jsonschema_rs
    except ImportError:
        return None
    accepts: Callable[[Any], bool] = jsonschema_rs.Draft7Validator(_schema()).is_valid
    return accepts


@cache
def _reference() -> Draft7Validator:
    from jsonschema import Draft7Validator

    return Draft7Validator(_schema())


def _suspects(data: dict[str, Any], accepts: Callable[[Any], bool]) -> dict[str, Any]:
    """The document without its faultless tasks: no rule for one task looks at another."""
    tasks = data.get("tasks")
    if not isinstance(tasks, dict):
        return data
    wrong = {
        key: task
        for key, task in tasks.items()
        if not accepts({"version": 1, "tasks": {key: task}})
    }
    return {**data, "tasks": wrong}


def _worded(error: ValidationError) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    schema: Any = error.schema
    instance: Any = error.instance
    if "propertyNames" in error.absolute_schema_path:
        name = str(instance)
        what = _MERGE if name == "<<" else _refused_value(error, schema)
        yield Problem((*path, name), what, on_key=True)
    elif error.validator == "required":
        for name in schema["required"]:
            if name not in instance:
                what = _MISSING.get(name, "is missing")
                yield Problem(path, what, on_key=True, shown_path=(*path, name))
    elif error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        for name in instance:
            if name not in known:
                what = _unknown(name, path, known)
                yield Problem((*path, name), what, f"Known: {', '.join(known)}.", on_key=True)
    elif error.validator == "not":  # of a message that has both, the only use of it
        what = "stands beside `content`: give the prompt or its file, not both"
        yield Problem((*path, "contentFile"), what, on_key=True)
    else:
        yield Problem(path, _refused_value(error, schema))


def _unknown(name: str, path: Path, known: list[str]) -> str:
    if name == "<<":
        return _MERGE
    group = path[0] if len(path) == 1 else path[-1] if len(path) == len(_MESSAGE_PATH) else ""
    misplaced = _MISPLACED.get((str(group), name))
    if misplaced is not None:
        return misplaced
    if not path and name in _schema()["definitions"]["task"]["properties"]:
        return "belongs to a task, or under `defaults`"
    if path and name in _schema()["properties"]:
        return "has its place at the top of the file"
    near = _near(name, known)
    return f"is not known here; did you mean `{near}`?" if near else "is not known here"


def _refused_value(error: ValidationError, schema: Any) -> str:
    value: Any = error.instance
    rule: Any = error.validator_value
    match error.validator:
        case "type":
            return _wrong_type(value, [rule] if isinstance(rule, str) else list(rule))
        case "enum":
            return _not_among(value, [choice for choice in rule if choice is not None])
        case "const":
            return f"must be {_shown(rule)}, not {_shown(value)}"
        case "pattern":
            return f"{schema['patternErrorMessage']}; not {_shown(value)}"
        case "minLength":
            return "is empty"
        case "maxLength":
            return f"has {len(value)} characters; at most {rule} are allowed"
        case "minimum":
            return f"must be {rule} or more, not {_shown(value)}"
        case "maximum":
            return f"must be {rule} or less, not {_shown(value)}"
        case _:
            return quoted(error.message)


def _wrong_type(value: Any, types: list[str]) -> str:
    wanted = " or ".join(_KINDS[kind] for kind in types if kind != "null")
    if value is None:
        return f"is empty; it must be {wanted}"
    if "boolean" in types and isinstance(value, str) and value.lower() in _YAML_1_1_BOOLEANS:
        meant = _YAML_1_1_BOOLEANS[value.lower()]
        return f"must be {wanted}; {_shown(value)} is text in YAML 1.2: write `{meant}`"
    hint = ""
    if "string" in types and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
    return f"must be {wanted}, not {_shown(value)}{hint}"


def _not_among(value: Any, choices: list[Any]) -> str:
    names = [str(choice) for choice in choices]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    near = _near(value, names) if isinstance(value, str) else None
    hint = f"; did you mean `{near}`?" if near is not None else ""
    return f"must be {listed}, not {_shown(value)}{hint}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return quoted(value)
    return quoted(json.dumps(value)).strip('"')


def _near(name: str, known: list[str]) -> str | None:
    import difflib

    plain = {_folded(choice): choice for choice in known}
    found = difflib.get_close_matches(_folded(name), list(plain), n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
