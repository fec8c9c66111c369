"""Prompt files: `message: {contentFile: PATH}`.

A manifest must not make taskctl read any other file of the machine into a prompt: a prompt file is
in the manifest's repository, symbolic links resolved, and not in `.git`, where a checkout keeps
tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from reconciler.manifest.discovery import shown_name
from reconciler.manifest.finding import Finding, finding
from reconciler.manifest.parse import encoding
from reconciler.manifest.repository import in_git, read_regular, repository_root, resolved
from reconciler.manifest.task_checks import check_prompt
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

MAX_BYTES = 1024 * 1024
"""More text than the context of a model can take."""


@dataclass(slots=True)
class PromptFile:
    """One file. `text` is None if it cannot be used; `body` is what may be shown of it.

    `findings` are located, in the file itself. `users` are manifests and their task keys.
    """

    body: bytes = b""
    text: str | None = None
    findings: list[Finding] = field(default_factory=list)
    users: set[tuple[str, str]] = field(default_factory=set)

    def inspect(self, path: Path) -> None:
        """Checks the prompt; `path` is the message it was read for."""
        self.findings = [found.at_path(path) for found in self.findings]
        self.findings += _inspected(self.text, path)
        if any(found.is_error for found in self.findings):
            self.text = None


@dataclass(slots=True)
class Prompts:
    """Those of one manifest: the prompt for each key that has a file, None if it cannot be used;
    and findings in the manifest itself."""

    texts: dict[str, str | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class PromptFiles:
    """Reads each file once, however many tasks name it. `root` is the working directory."""

    def __init__(self, root: FilePath) -> None:
        self.files: dict[str, PromptFile] = {}
        self._root = root
        self._names: dict[FilePath, str] = {}
        self._homes: dict[FilePath, _Home] = {}

    def of(self, data: Any, manifest: str, folder: FilePath, rejected: Collection[Path]) -> Prompts:
        """The prompts of a manifest's document, which may break the schema at `rejected`.

        `manifest` is its name and `folder` its directory.
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
                    file.inspect(("tasks", key, "message"))
                file.users.add((manifest, key))
                found.texts[key] = file.text
            else:
                found.texts[key] = None
                found.findings.append(name.at_path(path))
        return found

    def _file(self, manifest: str, folder: FilePath, given: str) -> str | Finding:
        """The name of the file, which has been read; or why it cannot be read."""
        home = self._homes.get(folder)
        if home is None:
            home = self._homes[folder] = _home(folder, self._root)
        try:
            real = resolved(home.folder / given)
            outside = _outside(real, home)
            if outside is not None:
                return finding(Code.OUTSIDE_REPOSITORY, (), outside)
            if real not in self._names:
                name = self._shown(manifest, given, real)
                self.files[name] = _read(read_regular(real, MAX_BYTES))
                self._names[real] = name
        except OSError as problem:
            reason = problem.strerror or str(problem)
            return finding(Code.UNREADABLE_FILE, (), "prompt", {"file": given, "reason": reason})
        except ValueError:  # the system's encoding cannot represent it
            return finding(Code.UNREADABLE_FILE, (), "name", {"file": given})
        return self._names[real]

    def _shown(self, manifest: str, given: str, real: FilePath) -> str:
        """Its name as a user would write it; its real path where a link leads elsewhere."""
        name = shown_name(self._root, str(FilePath(manifest).parent / given))
        if resolved(self._root / name) == real:
            return name
        return shown_name(resolved(self._root), str(real))


def _named(data: Any) -> Iterator[tuple[str, str]]:
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        message = task.get("message") if isinstance(task, dict) else None
        if type(message) is dict and isinstance(message.get("contentFile"), str):
            yield key, message["contentFile"]


class _Home(NamedTuple):
    """The directory of a manifest and the one its prompts must be in, links resolved."""

    folder: FilePath
    top: FilePath
    is_repository: bool


def _home(folder: FilePath, working: FilePath) -> _Home:
    """The repository of the directory, or else the working directory."""
    real, top = resolved(folder), repository_root(folder)
    return _Home(real, top or resolved(working), is_repository=top is not None)


def _outside(real: FilePath, home: _Home) -> str | None:
    """Why the file must not be read, whether or not it exists: a case of OUTSIDE_REPOSITORY."""
    if not real.is_relative_to(home.top):
        return "prompt" if home.is_repository else "prompt-directory"
    if in_git(real.relative_to(home.top)):
        return "prompt-git"
    return None


def _read(content: bytes) -> PromptFile:
    """The prompt as a block scalar with `|` would have it: line feeds, and one at its end."""
    body = content.removeprefix(encoding.BOM)
    file = PromptFile(body.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    unreadable = encoding.check(body)
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
        before = text[: max(text.find(found.secret or ""), 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        yield found.at_position(line, column)


def hidden(file: PromptFile, sensitive: Mapping[str, Collection[str]]) -> bool:
    """Whether a sensitive task has its prompt from this file."""
    return any(key in sensitive.get(manifest, ()) for manifest, key in file.users)
