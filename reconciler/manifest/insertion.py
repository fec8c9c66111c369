"""New tasks in a manifest: in a new or an existing file.

Existing text is not rewritten: lines are appended, so comments, quotes and anchors are kept. The
result is read again by the reader of `validate`, and must be the old data plus the new tasks;
otherwise the file is rejected and left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.manifest.comments import blocks
from reconciler.manifest.document import Document, build
from reconciler.manifest.finding import Finding
from reconciler.manifest.layout import STEP
from reconciler.manifest.parse import scalars
from reconciler.manifest.parse.source import Source, read_source
from reconciler.manifest.schema import check
from reconciler.model import limits
from reconciler.model.canonical import INVISIBLE, map_texts, visible
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, ManifestError, Place, Severity, error
from reconciler.model.task import DesiredTask
from reconciler.model.value import Value, replace


class NewTask(Value, frozen=True):
    """A task to write: its key, its organization (None: not in the manifest), and its settings
    in order."""

    key: str
    org_name: str | None
    members: Mapping[str, object]

    @property
    def settings(self) -> dict[str, object]:
        org = {} if self.org_name is None else {"orgName": self.org_name}
        return {**org, **self.members}


class Added(Value, frozen=True):
    """`content` is the whole file, `text` the new lines; `tasks` are the new tasks, as read, and
    `diagnostics` warnings about them."""

    content: bytes
    text: str
    tasks: tuple[DesiredTask, ...]
    diagnostics: tuple[Diagnostic, ...]


def task_faults(*tasks: NewTask) -> list[Finding]:
    """The errors in tasks that no comment can suppress, at their paths in a manifest."""
    source = Source(b"")
    settings = {task.key: task.settings for task in tasks}
    source.data = map_texts(str, {"version": 1, "tasks": settings})
    wrong = [each for each in _built(source, "").findings if blocks(each)]
    if wrong or _is_read_back((task.key, task.members) for task in tasks):
        return wrong
    return [
        Finding(Code.INVALID_CHARACTER, ("tasks", task.key, name), "unwritable")
        for task in tasks
        for name, value in task.members.items()
        if not _is_read_back([(task.key, {name: value})])
    ]


def insert(before: bytes | None, file: str, tasks: Sequence[NewTask]) -> Added:
    """The manifest `file` with these tasks; `before` is None if there is no file. Raises
    ManifestError."""
    try:
        if before is None:
            base, tasks, text = _new_file(tasks)
            return _checked(text.encode(), text, base, file, tasks)
        return _insert_into(read_source(before), file, tasks)
    except _NotReadBackError:
        unsafe = error(Code.UNSAFE_EDIT, "insert", at=Place(file))
        raise ManifestError([unsafe]) from None


def _insert_into(source: Source, file: str, tasks: Sequence[NewTask]) -> Added:
    wrong = source.findings or list(check(source.data))
    if wrong:
        raise ManifestError(source.diagnostics(wrong, file, excerpts=True))
    made = _with_defaults(source.data, tasks)
    for head, indent, line_end in _ends(source):
        text = "".join(f"{line}{line_end}" for line in _task_lines(made, indent))
        content = f"{head}{text}".encode()
        try:
            return _checked(content, text, source.data, file, made)
        except _NotReadBackError:  # after a block scalar `|+`, the empty line is part of its text
            continue
    raise _NotReadBackError


class _NotReadBackError(Exception):
    """The text that was read back differs from the text that was written."""


def _ends(source: Source) -> Iterator[tuple[str, int, str]]:
    """The text that new tasks can be appended to, first with an empty line at its end and then
    without, with the column of their keys and the line end to use. Yields nothing if another key
    follows `tasks`."""
    line_end = "\r\n" if "\r\n" in source.text else "\n"
    head = source.text.rstrip("\r\n") + line_end
    whole = source.text if source.text.endswith("\n") else head  # keeps the line breaks of a `|+`
    keys = list(source.keys.get("tasks", {}).values())
    if list(source.data)[-1] != "tasks":
        return
    if not keys:
        head, empty, rest = head.rpartition(" {}")
        if not empty or rest.strip():
            return
        yield head + line_end, STEP, line_end
    else:
        indent = keys[0][1] - 1
        yield head + line_end, indent, line_end
        yield whole, indent, line_end


def _new_file(tasks: Sequence[NewTask]) -> tuple[dict[str, object], list[NewTask], str]:
    """The data of a new file without tasks, the tasks as the file needs them, and its text."""
    base: dict[str, object] = {"version": 1}
    orgs = {task.org_name for task in tasks}
    if len(orgs) == 1 and None not in orgs:
        base["orgName"] = orgs.pop()
        tasks = [NewTask(task.key, None, task.members) for task in tasks]
    lines = [*mapping_lines(base, 0), "tasks:", *_task_lines(tasks, STEP)]
    return base, list(tasks), "".join(f"{line}\n" for line in lines)


def _task_lines(tasks: Sequence[NewTask], indent: int) -> list[str]:
    lines: list[str] = []
    for task in tasks:
        lines += ["", *mapping_lines({task.key: task.settings}, indent)]
    return lines[1:]


def _with_defaults(data: Mapping[str, Any], tasks: Sequence[NewTask]) -> list[NewTask]:
    """The tasks with the settings that the file needs: null for each of its defaults that a task
    does not have."""
    defaults = {
        name: value for name, value in (data.get("defaults") or {}).items() if value is not None
    }
    made = []
    for task in tasks:
        unset = {name: None for name in defaults if name not in task.members}
        org_name = None if task.org_name == data.get("orgName") else task.org_name
        made.append(NewTask(task.key, org_name, {**task.members, **unset}))
    return made


def _checked(
    content: bytes, text: str, base: Mapping[str, Any], file: str, tasks: Sequence[NewTask]
) -> Added:
    """The added tasks. Raises _NotReadBackError unless `content` reads as the data `base` plus the
    tasks, and ManifestError for invalid tasks."""
    if len(content) > limits.MANIFEST_BYTES:
        at, limit = Place(file), limits.MANIFEST_BYTES >> 20
        raise ManifestError([error(Code.IMPORT_TARGET, "large", at=at, limit=limit)])
    source = read_source(content)
    if not _reads_as(source, base, tasks):
        raise _NotReadBackError
    built = _built(source, file)
    diagnostics = source.diagnostics(built.findings, file)
    if any(blocks(each) for each in built.findings):
        raise ManifestError(diagnostics)
    new = {task.key for task in tasks}
    return Added(
        content,
        text,
        tuple(task for task in built.tasks if task.key in new),
        tuple(replace(d, severity=Severity.WARNING) for d in diagnostics if d.key in new),
    )


def _built(source: Source, file: str) -> Document:
    document = Document(source, file, Path())
    document.check(source.data)
    build(document)
    return document


def _reads_as(source: Source, base: Mapping[str, Any], tasks: Sequence[NewTask]) -> bool:
    new = {task.key: map_texts(str, task.settings) for task in tasks}
    expected = {**base, "tasks": {**(base.get("tasks") or {}), **new}}
    return not source.findings and source.data == expected


def _is_read_back(entries: Iterable[tuple[str, Mapping[str, object]]]) -> bool:
    base, tasks, text = _new_file([NewTask(key, None, members) for key, members in entries])
    return _reads_as(read_source(text.encode("utf-8", "surrogatepass")), base, tasks)


# The YAML of a value: readable, exact, and inert for all texts. A text is plain, a
# block with `|`, or in double quotes with escapes for invisible and control characters. No value
# can become an anchor, a tag or a comment.

_WORDS_OF_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN = re.compile(r"[^\W\d_](?:[^\n\t:#]|:(?=[^\s:])|(?<=[^\s#])#(?!#))*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # text in YAML 1.1 too
_COMMAND = re.compile(r"::|##")  # a line with it may be a command to a workflow runner
_HIDDEN = re.compile(f"[\n{INVISIBLE}]")


def mapping_lines(values: Mapping[str, object], column: int) -> list[str]:
    """The lines of a block mapping whose keys are in `column` (from 0); `values` is JSON."""
    lines: list[str] = []
    for name, value in values.items():
        lines += _item(" " * column + scalar(name) + ":", value, column)
    return lines


def scalar(value: object) -> str:
    """A value other than a collection, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    return value if _is_plain(value) else f'"{_escaped(value)}"'


def _item(head: str, value: object, column: int) -> list[str]:
    """The lines of an item of a collection, which begins in `column`: `head` (`KEY:` or `-`), and
    the value."""
    inner = column + STEP
    if isinstance(value, str) and "\n" in value:
        first, *more = _block(value, inner) if _is_block(value) else _folded(value, inner)
        return [f"{head} {first}", *more]
    if isinstance(value, Mapping):
        return [head, *mapping_lines(value, inner)] if value else [f"{head} {{}}"]
    if isinstance(value, list | tuple):
        return [head, *_list_lines(value, inner)] if value else [f"{head} []"]
    return [f"{head} {scalar(value)}"]


def _list_lines(values: list[object] | tuple[object, ...], column: int) -> list[str]:
    lines: list[str] = []
    dash = " " * column + "-"
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *more = mapping_lines(value, column + STEP)
            lines += [f"{dash} {first[column + STEP :]}", *more]
        else:
            lines += _item(dash, value, column)
    return lines


def _is_plain(text: str) -> bool:
    return _UUID.fullmatch(text) is not None or (
        text.lower() not in _WORDS_OF_YAML_1_1
        and _PLAIN.fullmatch(text) is not None
        and not text.endswith(" ")
        and scalars.plain(text) == text
        and not _HIDDEN.search(text)
    )


def _is_block(text: str) -> bool:
    """Whether the text can be a block with `|`: only visible characters, and text in the last
    line."""
    last = text.removesuffix("\n").rpartition("\n")[2]
    bare = text.replace("\n", "").replace("\t", "")
    return bool(last.strip()) and not _COMMAND.search(text) and not _HIDDEN.search(bare)


def _block(text: str, column: int) -> list[str]:
    head = "|" + (str(STEP) if text[0] in " \t\n" else "") + ("" if text[-1] == "\n" else "-")
    pad = " " * column
    return [head, *(pad + line if line else "" for line in text.removesuffix("\n").split("\n"))]


def _folded(text: str, column: int) -> list[str]:
    r"""The text in double quotes, with a line for each of its lines. All but the last end with
    `\n\`: an escaped line feed, and a backslash that makes YAML ignore the real line break."""
    rows = [_escaped(line) for line in text.removesuffix("\n").split("\n")]
    more = [" " * column + ("\\" if row.startswith(" ") else "") + row for row in rows[1:]]
    end = '\\n"' if text.endswith("\n") else '"'
    return ("\\n\\\n".join([f'"{rows[0]}', *more]) + end).split("\n")


def _escaped(text: str) -> str:
    text = visible(re.sub(r'(["\\])', r"\\\1", text), f"\n{INVISIBLE}")
    return _COMMAND.sub(lambda found: "\\x3a:" if found[0] == "::" else "\\x23#", text)
