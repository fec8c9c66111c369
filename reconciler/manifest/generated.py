"""Expands the entries of manifests: reads their data files and prompts, and checks what they
generate. Only loaded for manifests that have entries or templates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path as FilePath

from reconciler.manifest.build import inputs_of
from reconciler.manifest.document import Document, has_entries, is_entry
from reconciler.manifest.expand.entries import MOST_TEXT, Expansion, expand
from reconciler.manifest.expand.rows import Row, RowError, rows_of_file
from reconciler.manifest.expand.template import (
    names,
    names_a_period,
    stray_dollar,
    substitute,
    templates_in,
)
from reconciler.manifest.finding import Facts, Finding, finding, warning_finding
from reconciler.manifest.named_files import MAX_BYTES, NamedFile, NamedFiles
from reconciler.manifest.parse.errors import BOM, check_encoding
from reconciler.manifest.parse.nodes import Node, read_nodes
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.prompts import PromptFile, Prompts, position_in
from reconciler.manifest.schema import check_generated
from reconciler.manifest.task_checks import check_prompt
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.entry import TaskOrigin
from reconciler.model.task import Inputs

_OPEN = "{{"


class Entries:
    """Expands the entries of manifests. `now` is asked for once, and only if an entry recurs."""

    def __init__(self, named: NamedFiles, now: Callable[[], datetime]) -> None:
        self._named, self._clock = named, now
        self._moment: datetime | None = None
        self._rows: dict[str, list[Row] | Finding] = {}

    def expand(
        self, source: Source, manifest: str, folder: FilePath, rejected: Collection[Path]
    ) -> Document:
        """The document of a manifest that has entries, and may break the schema at `rejected`;
        entries that do are left as they are, as are those with an error of their own."""
        data = source.data
        made = Document(data, source.keys.get("tasks", {}))
        if not has_entries(data):
            return made
        wrong = {path[1] for path in rejected if len(path) > 1 and path[0] == "tasks"}
        root = read_nodes(source.events())

        def read(path: str) -> list[Row] | Finding:
            return self._rows_of(self._named.read(manifest, folder, path))

        keys = dict(made.keys)
        all_tasks: dict[str, object] = {}
        generated: dict[str, object] = {}
        for name, task in data["tasks"].items():
            own = {name: task}
            if name not in wrong and is_entry(task):
                expansion = expand(name, task, root, self._now, read)
                made.expansions[name] = expansion
                made.findings += expansion.findings
                if not any(found.is_error for found in expansion.findings):
                    own = expansion.tasks
                    made.origins |= expansion.origins
                    generated |= own
                    keys |= dict.fromkeys(own, keys.get(name, (1, 1)))
            all_tasks |= own
        made.findings += check_generated(generated)
        made.data, made.keys = {**data, "tasks": all_tasks}, keys
        return made

    def _now(self) -> datetime:
        if self._moment is None:
            self._moment = self._clock()
        return self._moment

    def _rows_of(self, file: NamedFile | Finding) -> list[Row] | Finding:
        if isinstance(file, Finding):
            return file
        if file.name not in self._rows:
            self._rows[file.name] = _rows(file)
        return self._rows[file.name]


def _rows(file: NamedFile) -> list[Row] | Finding:
    body = file.content.removeprefix(BOM)
    if len(file.content) > MAX_BYTES:
        return _in_data(
            finding(Code.FILE_TOO_LARGE, (), "data", {"limit": MAX_BYTES // 1024}), file
        )
    is_yaml = file.name.endswith((".yaml", ".yml"))
    unreadable = check_encoding(body, yaml=is_yaml)
    source = read_source(body) if is_yaml and unreadable is None else None
    if source is not None and source.findings:
        unreadable = source.findings[0]
    if unreadable is not None:
        return _in_data(unreadable, file)

    def nodes() -> Node | None:
        return read_nodes(source.events()) if source is not None else None

    try:
        return rows_of_file(file.name, body.decode("utf-8"), nodes)
    except RowError as problem:
        found = finding(Code.INVALID_DATA, (), problem.case, problem.facts)
        return found.at_row(file.name, problem.line)


def _in_data(found: Finding, file: NamedFile) -> Finding:
    """A problem of a data file, told of the manifest that names it."""
    at = replace(found.diagnostic.at, line=None, column=None)
    line = found.diagnostic.at.line or 1
    return found._replace(diagnostic=replace(found.diagnostic, at=at)).at_row(file.name, line)


# Prompts in files


def fill_prompts(prompts: Prompts, made: Document) -> list[Finding]:
    """Fills the prompts in files of generated tasks, which are templates: for each task its own
    text. Faults are findings of the file."""
    found: list[Finding] = []
    checked: dict[tuple[str, int], bool] = {}
    for name, expansion in made.expansions.items():
        for key, values in expansion.values.items():
            text, file = prompts.texts.get(key), prompts.files.get(key)
            if text is None or file is None:
                continue
            if (name, id(file)) not in checked:
                checked[name, id(file)] = _check_file(expansion, name, file, text)
                found += _without_period(expansion, name, text)
            if not checked[name, id(file)]:
                prompts.texts[key] = None
                continue
            prompts.texts[key] = filled = substitute(text, values)
            if filled != text:
                found += check_prompt(("tasks", key, "message"), filled)
            expansion.length += len(filled)
        if expansion.length > MOST_TEXT:
            facts: Facts = {"limit": MOST_TEXT}
            found.append(finding(Code.TOO_MANY_TASKS, ("tasks", name), "text", facts))
    return found


def keep_templates(made: Document, prompts: Prompts) -> None:
    """Gives each generated task the settings of its entry as they are written, for readers."""
    defaults = {n: v for n, v in (made.data.get("defaults") or {}).items() if v is not None}
    templates: dict[str, Inputs] = {}
    for name, expansion in made.expansions.items():
        if expansion.tasks:
            file = prompts.files.get(next(iter(expansion.tasks)))
            text = file.text if file is not None else None
            templates[name] = inputs_of(expansion.template, defaults, text)
    made.origins = {
        key: replace(origin, template=templates[origin.generated.entry])
        for key, origin in made.origins.items()
    }


def _check_file(expansion: Expansion, name: str, file: PromptFile, text: str) -> bool:
    """Whether the text of a file is a valid template of the entry."""
    path: Path = ("tasks", name, "message")
    wrong = expansion.vocabulary.check(text, path) if expansion.vocabulary is not None else []
    for each in (*wrong, *stray_dollar(text, path)):
        offset = max(text.find(str(each.diagnostic.args.get("text", ""))), 0)
        file.findings.append(each.at_position(*position_in(text, offset)))
    return not wrong


def _without_period(expansion: Expansion, name: str, text: str) -> Iterator[Finding]:
    recurrence = expansion.recurrence
    if recurrence is not None and recurrence.catch_up and not names_a_period(text):
        yield finding(Code.INVALID_RECURRENCE, ("tasks", name, "catchUp"), "catchUp")


def literal_templates(data: object, origins: Mapping[str, TaskOrigin]) -> Iterator[Finding]:
    """Templates in tasks that are no entries, and in defaults: they are text there."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    plain = tasks.items() if isinstance(tasks, dict) else ()
    for key, task in plain:
        if key not in origins and not is_entry(task):
            yield from _literal(("tasks", key), task)
    defaults = data.get("defaults") if isinstance(data, dict) else None
    for found in _literal(("defaults",), defaults):
        if origins:
            yield finding(Code.INVALID_TEMPLATE, found.path, "place", found.diagnostic.args)
        else:
            yield found


def literal_files(prompts: Prompts, made: Document) -> None:
    """The same in prompt files, once each: a file of a task that is no entry is no template."""
    for key, file in prompts.files.items():
        if key not in made.origins and not any(
            f.code is Code.INVALID_TEMPLATE for f in file.findings
        ):
            for found in _literal(("tasks", key, "message"), file.text):
                at = position_in(file.text or "", (file.text or "").find(_OPEN))
                file.findings.append(found.at_position(*at))


def _literal(path: Path, value: object) -> Iterator[Finding]:
    for below, text in templates_in(value):
        for name in sorted(names(text)):
            facts: Facts = {"text": f"{_OPEN} {name} }}}}"}
            yield warning_finding(Code.INVALID_TEMPLATE, (*path, *below), "text", facts)
