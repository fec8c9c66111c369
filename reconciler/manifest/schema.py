"""JSON Schema: the violations of the manifest schema, and of untrusted schemas (policies).

jsonschema finds and explains them all. For manifests, jsonschema-rs decides whether there are any,
if it is installed: most manifests are valid, and then jsonschema is not even imported. A property
test checks that both agree on what is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from reconciler.manifest.finding import Finding
from reconciler.model import limits
from reconciler.model.canonical import json_value
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Violation
from reconciler.model.paths import shown
from reconciler.model.remarks import Arg, RemarkError
from reconciler.system import memory
from reconciler.system.resources import schema_text

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError


def _not_a_manifest(data: object) -> Finding:
    """The finding for data that is no manifest, with the similar key if `tasks` is misspelled."""
    from reconciler.manifest.schema_findings import similar

    for key in islice(data, 10) if isinstance(data, dict) else ():
        if similar(key, ["tasks"]):
            return Finding(Code.NOT_A_MANIFEST, (key,), "similar", {"near": "tasks"}, on_key=True)
    return Finding(Code.NOT_A_MANIFEST, ())


def check(data: object, *, generated: bool = False) -> Iterator[Finding]:
    """A document's violations of the manifest schema, as they are found; with `generated`, those of
    generated tasks, whose keys may differ from declared keys."""
    accelerator = accelerated_validator(generated=generated)
    if accelerator is not None and accelerator.is_valid(data):
        return
    if not isinstance(data, dict) or not data.keys() & {"version", "tasks"}:
        yield _not_a_manifest(data)
        return
    from reconciler.manifest.schema_findings import findings, without_consequences

    memory.resume_collection()  # jsonschema leaves reference cycles behind
    schema, validator = _schema(), manifest_validator(generated=generated)
    for part in _parts(data):
        if accelerator is None or not accelerator.is_valid(part):
            every = (
                f for e in validator.iter_errors(part) for f in findings(_violation(e), schema)
            )
            found = list(dict.fromkeys(islice(every, limits.TASK_FINDINGS)))
            yield from without_consequences(found)


def _parts(data: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The document without its tasks, and each task as a separate document: only invalid parts are
    explained, each up to a limit, because aliases can repeat a wrong value in thousands of
    tasks."""
    tasks = data.get("tasks")
    if not isinstance(tasks, dict):
        yield data
        return
    yield {**data, "tasks": {}}
    for key, task in tasks.items():
        yield {"version": 1, "tasks": {key: task}}


class Steps:
    """The work that policies may still do: `left` is roughly the number of keywords to evaluate."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RemarkError(Code.INVALID_POLICY, "steps")


Violations = Callable[[object], Iterator[Violation]]


def validator_of(schema: Mapping[str, object], steps: Steps | None = None) -> Violations:
    """A function that finds a value's violations one by one; all `$ref`s must stay within the
    schema. This call and the function may raise RemarkError; the function must not be used after
    that. For policies, `steps` limits the work; otherwise, the caller limits the time."""
    from referencing import Registry

    with _faults():
        kind = _draft(schema)
        kind.check_schema(schema)
        # Without a registry, the library would fetch URLs and open files.
        validator = _observed(kind)(schema, registry=Registry())

    def violations(value: object) -> Iterator[Violation]:
        run, errors = _Run(steps), validator.iter_errors(value)
        with _faults():
            while True:
                _run.set(run)  # again: another run may have begun
                error = next(errors, None)
                if error is None:
                    return
                yield _violation(error)

    return violations


def draft_keywords(schema: Mapping[str, object]) -> Collection[str]:
    """The keywords that the schema's draft evaluates. RemarkError for an unknown draft."""
    with _faults():
        keywords: Collection[str] = _draft(schema).VALIDATORS
    return keywords


def _draft(schema: Mapping[str, object]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    named = schema.get("$schema")
    unknown: Any = None
    kind: Any = Draft202012Validator
    if named is not None:
        kind = validator_for({"$schema": str(named)}, unknown)
    if kind is None:
        raise RemarkError(Code.INVALID_POLICY, "dialect", dialect=str(named))
    return kind


def count_values(schema: object, most: int) -> int:
    """The number of names and values in a schema, with repetitions by aliases: a check takes up to
    0.2 ms for each. Raises RemarkError for more than `most`, or too many levels."""
    count, waiting = 0, [(0, schema)]
    while waiting:
        depth, part = waiting.pop()
        if depth > limits.SCHEMA_DEPTH:
            raise RemarkError(Code.INVALID_POLICY, "depth")
        if isinstance(part, Mapping):
            waiting += [(depth + 1, value) for value in part.values()]
            count += len(part)
        elif isinstance(part, list):
            waiting += [(depth + 1, value) for value in part]
        count += 1
        if count > most:
            raise RemarkError(Code.INVALID_POLICY, "values", most=limits.SCHEMA_VALUES)
    return count


def check_targets(schema: Mapping[str, object]) -> None:
    """Raises RemarkError for a `$ref` without a target, which `validator_of` reports only once it
    is needed. Does not check a schema that contains schemas with their own `$id`."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    waiting: list[object] = [schema]
    references: list[str] = []
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if "$id" in part and part is not schema:
                return
            if isinstance(part.get("$ref"), str):
                references.append(str(part["$ref"]))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    bare = {name: value for name, value in schema.items() if name != "$id"}
    resolver = Registry().with_resource("", DRAFT202012.create_resource(bare)).resolver()
    with _faults():
        for reference in references:
            resolver.lookup(reference)


@contextmanager
def _faults() -> Iterator[None]:
    """Converts every exception of the library to RemarkError: the schema causes them."""
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        yield
    except RemarkError:
        raise
    except SchemaError as problem:
        path = tuple(problem.absolute_path)
        # `type` is a name or a list of names: the nested error about a name lists valid names.
        of_names = (e for e in problem.context or () if e.validator == "enum")
        facts: dict[str, Arg] = {"where": shown(path), "reason": problem.message}
        case = "schema" if path else "schema-root"
        for name in of_names:
            if isinstance(name.instance, str) and isinstance(name.validator_value, list):
                case = "name"
                facts |= {"name": name.instance, "known": tuple(map(str, name.validator_value))}
        raise RemarkError(Code.INVALID_POLICY, case, **facts) from problem
    except Unresolvable as problem:
        target = str(problem.ref)
        raise RemarkError(Code.POLICY_REFERENCE, "unresolved", target=target) from problem
    except RecursionError as problem:
        raise RemarkError(Code.INVALID_POLICY, "recursion") from problem
    except Exception as problem:
        reason = f"{type(problem).__name__}: {problem}".partition("\n")[0]
        raise RemarkError(Code.INVALID_POLICY, "failure", reason=reason) from problem


def _violation(error: ValidationError) -> Violation:
    path, steps = tuple(error.absolute_path), tuple(error.absolute_schema_path)
    expected: object = error.validator_value
    name = error.validator if isinstance(error.validator, str) else None
    around = getattr(error, "around", ())
    return Violation(path, steps, name, expected, error.instance, error.schema, around)


_NEVER: Mapping[str, object] = {"not": {}}
_PER_STEP = 50  # names or values that take as long as a keyword


class _Run:
    """A validation of one value: the depth of nested keywords, and the steps that it may take
    (None: any number)."""

    def __init__(self, steps: Steps | None) -> None:
        self.depth, self.steps = 0, steps


_run: ContextVar[_Run] = ContextVar("run")


@cache
def _observed(kind: Any) -> Any:
    """A validator class that limits the depth of nested keywords, because a RecursionError makes
    Rust code of the library panic. With `steps`, it also counts a step for each keyword (a schema
    may refer to itself), for each error, and for a number of names or values of a keyword, and
    records the schemas around each error. It is slow to make: all schemas of a draft share it."""
    from jsonschema import validators

    def observed(name: str, rule: Any) -> Any:
        def check(validator: Any, expected: Any, value: Any, schema: Any) -> Iterator[Any]:
            run = _run.get()
            if run.steps is not None:
                many = len(expected) if isinstance(expected, dict | list) else 0
                run.steps.take(1 + many // _PER_STEP)
            if run.depth == limits.NESTED_KEYWORDS:
                raise RemarkError(Code.INVALID_POLICY, "recursion")
            # For a property with the schema `false`, the library does not report which it is.
            if name == "properties" and False in expected.values():
                expected = {n: _NEVER if s is False else s for n, s in expected.items()}
            run.depth += 1
            try:
                for error in rule(validator, expected, value, schema) or ():
                    # Save memory: the message repeats the value, in each branch of an `anyOf`.
                    error.message, error.args = "", ()
                    if run.steps is not None:
                        run.steps.take(1)
                        error.__dict__.setdefault("around", []).append(schema)
                    yield error
            finally:
                run.depth -= 1

        return check

    rules = {**kind.VALIDATORS, "multipleOf": _multiple_of}
    observing = {name: observed(name, rule) for name, rule in rules.items()}
    extend: Any = validators.extend
    return extend(kind, observing)


def _multiple_of(validator: Any, factor: Any, value: Any, _: object) -> Iterator[ValidationError]:
    """`multipleOf` for decimal numbers as they are written: 4.35 is a multiple of 0.01."""
    from fractions import Fraction

    from jsonschema.exceptions import ValidationError

    if validator.is_type(value, "number"):
        parts = Fraction(repr(value)) / Fraction(repr(factor))
        if parts.denominator != 1:
            yield ValidationError("")


@cache
def _schema(*, generated: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = json_value(schema_text("manifest"))
    if not generated:
        return schema
    tasks = {"additionalProperties": {"$ref": "#/definitions/task"}}
    return {"properties": {"tasks": tasks}, "definitions": schema["definitions"]}


@cache
def accelerated_validator(*, generated: bool = False) -> Any:
    """jsonschema-rs's validator of manifests; None if it is not installed."""
    try:
        import jsonschema_rs
    except ImportError:
        return None
    schema = _schema(generated=True) if generated else schema_text("manifest")
    return jsonschema_rs.Draft7Validator(schema)


@cache
def manifest_validator(*, generated: bool = False) -> Draft7Validator:
    """jsonschema's validator of manifests."""
    from jsonschema import Draft7Validator

    return Draft7Validator(_schema(generated=generated))
