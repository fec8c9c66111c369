"""Expands the entries of manifests: reads their data files, and fills prompt files. Only imported
for manifests with entries or templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import islice

from reconciler.manifest.document import Document, PromptFile, has_entries, inputs_of, is_entry
from reconciler.manifest.expand.entries import expand
from reconciler.manifest.expand.expansion import Expansion, Room, too_large
from reconciler.manifest.expand.rows import YAML_AND_JSON, Row, RowError, rows_of_file
from reconciler.manifest.expand.template import names, stray_dollar, substitute, templates_in
from reconciler.manifest.files import NamedFile, NamedFiles
from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.parse.errors import BOM, check_encoding
from reconciler.manifest.parse.nodes import read_nodes
from reconciler.manifest.parse.source import Source, read_json_source, read_source
from reconciler.manifest.parse.spans import LineIndex
from reconciler.manifest.task_checks import check_prompt
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path


class Entries:
    """Expands the entries of manifests. Calls `now` at most once, and only if an entry recurs.
    `room` limits the generated tasks."""

    def __init__(self, named: NamedFiles, now: Callable[[], datetime]) -> None:
        self._named, self._now = named, cache(now)
        self._rows: dict[str, list[Row] | Finding] = {}
        self.room = Room()

    def expand(self, document: Document) -> None:
        """Replaces the entries of a document with the tasks that they generate, except entries
        with errors."""
        if has_entries(document.data):
            self._generate(document)
        document.findings += _literal_templates(document)

    def _generate(self, document: Document) -> None:
        wrong = {path[1] for path in document.rejected if len(path) > 1 and path[0] == "tasks"}
        root = read_nodes(document.source.events())

        def read(path: str) -> list[Row] | Finding:
            file = self._named.read(document, path)
            if isinstance(file, Finding):
                return file
            if file.name not in self._rows:
                self._rows[file.name] = _rows(file)
            return self._rows[file.name]

        keys = dict(document.keys)
        all_tasks: dict[str, object] = {}
        generated: dict[str, object] = {}
        for name, task in document.data["tasks"].items():
            own = {name: task}
            if name not in wrong and is_entry(task):
                expansion = expand(name, task, root, self._now, read, self.room)
                document.expansions[name] = expansion
                document.findings += expansion.findings
                if not any(found.is_error for found in expansion.findings):
                    own = expansion.tasks
                    document.origins |= expansion.origins
                    generated |= own
                    keys |= dict.fromkeys(own, keys.get(name, (1, 1)))
            all_tasks |= own
        document.data, document.keys = {**document.data, "tasks": all_tasks}, keys
        document.check({"tasks": generated}, generated=True)


def _rows(file: NamedFile) -> list[Row] | Finding:
    body = file.content.removeprefix(BOM)
    source = Source(body)
    if len(file.content) > limits.NAMED_FILE_BYTES:
        facts = {"limit": limits.NAMED_FILE_BYTES // 1024}
        unreadable: Finding | None = Finding(Code.FILE_TOO_LARGE, (), "data", facts)
    elif (ending := file.name.rpartition(".")[2].lower()) in YAML_AND_JSON:
        source = read_json_source(body) if ending == "json" else source
        source = source if source.findings else read_source(body)
        unreadable = next(iter(source.findings), None)
    else:
        unreadable = check_encoding(body)
    if unreadable is not None:
        return unreadable.in_named_file(file.name)
    try:
        return rows_of_file(file.name, source.text, lambda: read_nodes(source.events()))
    except RowError as problem:
        return Finding.of(problem, ()).at_row(file.name, problem.line)


# Prompt files


def use_prompts(document: Document, room: Room) -> None:
    """Fills the prompt files of generated tasks, which are templates, for each task; errors are
    findings of the file. Filled prompts count against `room`. Warns about templates in the prompt
    files of other tasks. Gives each generated task the settings of its entry as written, for
    reports."""
    _warn_of_literal_files(document)
    checked: dict[tuple[str, PromptFile], bool] = {}
    filled: dict[str, str] = {}
    for name, expansion in document.expansions.items():
        for key, values in expansion.values.items():
            text, file = document.prompts.get(key), document.prompt_files.get(key)
            if text is None or file is None:
                continue
            if (name, file) not in checked:
                checked[name, file] = _check_file(expansion, name, file, text)
            document.prompts[key] = None
            if not checked[name, file] or room.bytes < 0:
                continue
            document.prompts[key] = made = substitute(text, values)
            if not room.take(len(made)):
                document.findings.append(too_large(name))
            if made != text:
                filled[key] = made
    for key, made in filled.items():
        document.findings += check_prompt(("tasks", key, "message"), made)
    if document.expansions:
        _keep_templates(document)


def _check_file(expansion: Expansion, name: str, file: PromptFile, text: str) -> bool:
    """Whether a prompt file is a valid template of the entry. Adds findings to the file if not."""
    path: Path = ("tasks", name, "message")
    errors = expansion.vocabulary.errors(text, path) if expansion.vocabulary is not None else ()
    wrong = list(islice(errors, limits.TASK_FINDINGS))
    lines = LineIndex(text)
    for each in (*wrong, *stray_dollar(text, path)):
        offset = max(text.find(str(each.facts.get("text", ""))), 0)
        file.findings.append(each.at_position(*lines.position(offset)))
    return not wrong


def _keep_templates(document: Document) -> None:
    defaults = {n: v for n, v in (document.data.get("defaults") or {}).items() if v is not None}
    for expansion in document.expansions.values():
        key = next(iter(expansion.tasks), None)
        if key is None or document.prompts.get(key, "") is None:  # its file cannot be used
            continue
        file = document.prompt_files.get(key)
        text = file.text if file is not None else None
        expansion.inputs |= inputs_of(expansion.template, defaults, text)


# Templates in tasks that are not entries, where they are plain text


def _literal_templates(document: Document) -> Iterator[Finding]:
    """Warnings for templates in tasks that are not entries, and in defaults, where they are plain
    text. With entries, templates in defaults are errors."""
    data, origins = document.data, document.origins
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        if key not in origins and not is_entry(task):
            yield from _literal(("tasks", key), task)
    defaults = data.get("defaults") if isinstance(data, dict) else None
    for found in _literal(("defaults",), defaults):
        if origins:
            yield Finding(Code.INVALID_TEMPLATE, found.path, "place", found.facts)
        else:
            yield found


def _warn_of_literal_files(document: Document) -> None:
    done = set[PromptFile]()
    for key, file in document.prompt_files.items():
        if not file.has_braces or key in document.origins or file in done:
            continue
        done.add(file)
        if not any(found.code is Code.INVALID_TEMPLATE for found in file.findings):
            text = file.text or ""
            at = LineIndex(text).position(max(text.find("{{"), 0))
            for found in _literal(("tasks", key, "message"), text):
                file.findings.append(found.at_position(*at))


def _literal(path: Path, value: object) -> Iterator[Finding]:
    for below, text in templates_in(value):
        for name in islice(sorted(names(text)), limits.TASK_FINDINGS):
            facts = {"text": f"{{{{ {name} }}}}"}
            yield warning_finding(Code.INVALID_TEMPLATE, (*path, *below), "text", facts)
