"""The expected results of tasks: `expect` in manifests. Schemas may be hostile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from reconciler.manifest.comments import blocks
from reconciler.manifest.discovery import unreadable_file
from reconciler.manifest.document import Document
from reconciler.manifest.expand.template import templates_in
from reconciler.manifest.files import NamedFile, NamedFiles
from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.keywords import ignored_keywords
from reconciler.manifest.parse.source import read_json_source, read_source
from reconciler.manifest.parse.spans import locate
from reconciler.manifest.policy import Timer, check_references
from reconciler.manifest.schema import (
    check_targets,
    count_values,
    draft_keywords,
    validator_of,
)
from reconciler.model import limits
from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Path, Place, error
from reconciler.model.remarks import RemarkError
from reconciler.model.task import Expectation
from reconciler.model.value import Value
from reconciler.system import disk


class Schemas:
    """Reads and checks the schemas of a run, each once, however many tasks expect it. `timer`
    is that of the policy, if there is a policy."""

    def __init__(self, timer: Timer | None = None) -> None:
        self._left = limits.SCHEMA_VALUES
        self._timer = timer or Timer(limits.CHECK_SECONDS)
        self._files: dict[str, dict[str, object] | Finding] = {}
        self._found: dict[str, Finding | None] = {}

    def read(self, file: NamedFile) -> dict[str, object] | Finding:
        """The schema in a file, or a finding without a path if it cannot be used."""
        if file.name not in self._files:
            self._files[file.name] = self._read(file)
        return self._files[file.name]

    def _read(self, file: NamedFile) -> dict[str, object] | Finding:
        if len(file.content) > limits.SCHEMA_BYTES:
            return Finding(Code.FILE_TOO_LARGE, (), "data", {"limit": limits.SCHEMA_BYTES // 1024})
        source = read_json_source(file.content)
        schema: dict[str, object] = source.data
        wrong = next(iter(source.findings), None)
        if wrong is None and not isinstance(schema, dict):
            wrong = Finding(Code.INVALID_EXPECTATION, (), "type")
        wrong = wrong or self.check(schema)
        if wrong is None:
            return schema
        if wrong.path:
            span = locate(source.events(), [wrong.path])[wrong.path]
            wrong = wrong.at_position(span.key_line, span.key_column)
        return wrong.in_named_file(file.name)

    def check(self, schema: Mapping[str, object]) -> Finding | None:
        """A finding if the schema cannot be used, at a path in the schema."""
        try:
            name = digest(schema)
            if name not in self._found:
                self._found[name] = None
                self._left -= count_values(schema, self._left)
                for path, near in ignored_keywords(schema, draft_keywords(schema)):
                    facts = {"name": str(path[-1]), "near": near}
                    code, case = Code.INVALID_EXPECTATION, "keyword" if near else "draft"
                    self._found[name] = Finding(code, path, case, facts, on_key=True)
                    return self._found[name]
                self._timer.run(lambda: check_schema(schema))
        except RecursionError:
            return _invalid(RemarkError(Code.INVALID_POLICY, "depth"))
        except RemarkError as fault:
            self._found[name] = _invalid(fault)
        return self._found[name]


def read_expectations(document: Document, files: NamedFiles, schemas: Schemas) -> None:
    """Reads the expectations of a document's tasks, by the key of the task or entry; problems are
    added to its findings."""

    wrong = {place[:length] for place in document.rejected for length in (2, 3)}

    def read(path: Path, given: object) -> Expectation | None:
        return _read(document, files, schemas, path, given) if path not in wrong else None

    data = document.data
    defaults = data.get("defaults") if isinstance(data, dict) else None
    shared = defaults.get("expect") if isinstance(defaults, dict) else None
    common = read(("defaults", "expect"), shared)
    for key, task in data["tasks"].items() if isinstance(data.get("tasks"), dict) else ():
        if not isinstance(task, dict):
            continue
        found = common
        if "expect" in task:
            found = read(("tasks", key, "expect"), task["expect"])
        document.expectations[key] = found
    # Each schema beyond the limit for all schemas is a finding; only the first is reported.
    beyond = [found for found in document.findings if _is_of_all(found)]
    document.findings[:] = (f for f in document.findings if not _is_of_all(f) or f is beyond[0])


def _is_of_all(found: Finding) -> bool:
    """Whether a finding is that the schemas of the run together have too many values."""
    return found.code is Code.INVALID_EXPECTATION and found.case == "values"


def _read(
    document: Document, files: NamedFiles, schemas: Schemas, path: Path, given: object
) -> Expectation | None:
    if not isinstance(given, dict):
        return None
    wrong = [
        Finding(Code.INVALID_TEMPLATE, (*path, *below), "place", {"text": text})
        for below, text in templates_in(given)
    ]
    document.findings += wrong
    schema = given.get("data")
    if isinstance(schema, str) and not wrong:
        schema = _schema_of(document, files, schemas, schema)
        if isinstance(schema, Finding):
            document.findings.append(schema.at_path((*path, "data")))
            return None
    elif schema is not None and not wrong:
        problem = schemas.check(schema)
        if problem is not None:
            document.findings.append(problem.at_path((*path, "data", *problem.path)))
            return None
    at = Place(document.file, path=path)
    return Expectation(int(given.get("pullRequests") or 0), schema, given.get("merged") is True, at)


def _schema_of(
    document: Document, files: NamedFiles, schemas: Schemas, given: str
) -> dict[str, object] | Finding:
    """The schema in a file, or a finding without a path."""
    if not given.endswith(".json"):
        return Finding(Code.INVALID_EXPECTATION, (), "file")
    file = files.read(document, given)
    return file if isinstance(file, Finding) else schemas.read(file)


def check_schema(schema: Mapping[str, object]) -> None:
    """Raises RemarkError for a schema that is invalid, or has external references."""
    try:
        check_references(schema, ())
        validator_of(schema)
        check_targets(schema)
    except RecursionError as fault:
        raise RemarkError(Code.INVALID_POLICY, "depth") from fault


def _invalid(fault: RemarkError) -> Finding:
    """The error in a schema, which is worded for policies, as a finding without a path."""
    if fault.code is Code.POLICY_REFERENCE:
        target = {"target": fault.facts.get("target")}
        return Finding(Code.INVALID_EXPECTATION, (), "reference", target)
    case = (
        fault.case
        if fault.case in ("schema", "schema-root", "name", "dialect", "depth", "values", "time")
        else ""
    )
    facts = fault.facts if case else {"reason": fault.facts.get("reason", fault.case)}
    return Finding(Code.INVALID_EXPECTATION, (), case, facts)


def check_prompts(document: Document) -> Iterator[Finding]:
    """Warns if data is expected and the prompt does not mention JSON."""
    warned = set()
    for task in document.tasks:
        name = task.declared_key
        if task.expect is None or task.expect.data is None or name in warned:
            continue
        content = str((task.inputs.get("message") or {"content": "JSON"}).get("content"))
        if "json" not in content.lower():
            warned.add(name)
            yield warning_finding(Code.INVALID_EXPECTATION, ("tasks", name, "message"), "prompt")


# The manifests of recorded tasks


class DeclaredExpectations(Value, frozen=True):
    """The keys of the tasks and entries that a manifest declares, with their expectations.
    `problems` are its errors."""

    expectations: Mapping[str, Expectation | None]
    problems: tuple[Diagnostic, ...] = ()


def declared_in(
    file: str, real: FilePath | None, folder: FilePath, files: NamedFiles, schemas: Schemas
) -> DeclaredExpectations | None:
    """The declarations of a manifest in `folder`, without expanding its entries; None if there is
    no such file. `real`: its path with links resolved, None if it must not be read."""
    if real is None:
        refused = error(Code.OUTSIDE_REPOSITORY, "recorded", at=Place(file))
        return DeclaredExpectations({}, (refused,))
    try:
        content = disk.read_resolved(real, limits.MANIFEST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        return DeclaredExpectations({}, (unreadable_file(file, problem),))
    source = read_source(content)
    document = Document(source, file, folder)
    if document.is_complete:
        document.check(source.data)
    data = document.data if isinstance(document.data, dict) else None
    if data is not None:
        read_expectations(document, files, schemas)
    errors = [found for found in document.findings if blocks(found)]
    problems = tuple(source.diagnostics(errors, file))
    return DeclaredExpectations(document.expectations, problems)
