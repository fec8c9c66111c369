"""Prompt files: `message: {contentFile: PATH}`. In an entry, the file is a template."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path as FilePath

from reconciler.manifest.finding import Finding, finding
from reconciler.manifest.named_files import MAX_BYTES, NamedFiles
from reconciler.manifest.parse.errors import BOM, check_encoding
from reconciler.manifest.task_checks import check_prompt
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path


class PromptFile:
    """One file. `text` is None if it cannot be used; `body` is what may be shown of it.

    `findings` are located, in the file itself. `users` are manifests and their task keys.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.text: str | None = None
        self.findings: list[Finding] = []
        self.users: set[tuple[str, str]] = set()

    def inspect(self, path: Path) -> None:
        """Checks the prompt; `path` is the message it was read for."""
        self.findings = [found.at_path(path) for found in self.findings]
        self.findings += _inspected(self.text, path)
        if any(found.blocks for found in self.findings):
            self.text = None


class Prompts:
    """Those of one manifest: the prompt for each key that has a file, None if it cannot be used;
    and findings in the manifest itself."""

    def __init__(self) -> None:
        self.texts: dict[str, str | None] = {}
        self.findings: list[Finding] = []
        self.files: dict[str, PromptFile] = {}


class PromptFiles:
    """Reads each file once, however many tasks name it."""

    def __init__(self, named: NamedFiles) -> None:
        self.files: dict[str, PromptFile] = {}
        self._named = named

    def of(
        self,
        data: object,
        manifest: str,
        folder: FilePath,
        rejected: Collection[Path],
        declared: Callable[[str], str] = str,
    ) -> Prompts:
        """The prompts of a manifest's document, which may break the schema at `rejected`.

        `manifest` is its name and `folder` its directory; `declared` gives the key in it of a task
        that an entry generates.
        """
        found = Prompts()
        for key, given in _named(data):
            path: Path = ("tasks", key, "message", "contentFile")
            if path in rejected:
                continue
            name = self._file(manifest, folder, given)
            if isinstance(name, str):
                file = self.files[name]
                if not file.users:
                    file.inspect(("tasks", declared(key), "message"))
                file.users.add((manifest, declared(key)))
                found.texts[key] = file.text
                found.files[key] = file
            else:
                found.texts[key] = None
                found.findings.append(name.at_path(path))
        return found

    def _file(self, manifest: str, folder: FilePath, given: str) -> str | Finding:
        """The name of the file, which has been read; or why it cannot be read."""
        found = self._named.read(manifest, folder, given)
        if isinstance(found, Finding):
            return found
        if found.name not in self.files:
            self.files[found.name] = _read(found.content)
        return found.name


def _named(data: object) -> Iterator[tuple[str, str]]:
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        message = task.get("message") if isinstance(task, dict) else None
        if type(message) is dict and isinstance(message.get("contentFile"), str):
            yield key, message["contentFile"]


def _read(content: bytes) -> PromptFile:
    """The prompt as a block scalar with `|` would have it: line feeds, and one at its end."""
    body = content.removeprefix(BOM)
    file = PromptFile(body.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    unreadable = check_encoding(body)
    if len(content) > MAX_BYTES:
        limit = MAX_BYTES // 1024
        unreadable = finding(Code.FILE_TOO_LARGE, (), "prompt", {"limit": limit}, position=(1, 1))
    if unreadable is not None:
        file.findings.append(unreadable)
        return file
    text = file.body.decode("utf-8")
    trimmed = text.rstrip("\n")
    file.text = trimmed + "\n" if len(text) > len(trimmed) else trimmed
    return file


def _inspected(text: str | None, path: Path) -> Iterator[Finding]:
    """The checks of every prompt, located in the file."""
    if text is None:
        return
    if not text or text.isspace():
        yield finding(Code.BLANK_PROMPT, path, "file", position=(1, 1))
        return
    for found in check_prompt(path, text):
        part = found.secret or str(found.diagnostic.args.get("text", ""))
        yield found.at_position(*position_in(text, max(text.find(part), 0)))


def position_in(text: str, offset: int) -> tuple[int, int]:
    """The line and column of an offset, from 1."""
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def hidden(file: PromptFile, sensitive: Mapping[str, Collection[str]]) -> bool:
    """Whether a sensitive task has its prompt from this file."""
    return any(key in sensitive.get(manifest, ()) for manifest, key in file.users)
