"""Prompts in files of their own: what `message: {contentFile: PATH}` stands for.

Whoever may change a manifest must not make taskctl read anything else of the machine into a prompt:
the file lies in the manifest's repository, symbolic links resolved, and not in its `.git`, where
a checkout keeps tokens.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from reconciler.manifest.discovery import shown_name
from reconciler.manifest.parse import encoding
from reconciler.manifest.problem import Problem
from reconciler.manifest.repository import repository_root
from reconciler.manifest.task_checks import prompt_problems
from reconciler.model.diagnostics import Path, Severity
from reconciler.model.paths import quoted

MAX_BYTES = 1024 * 1024
"""More text than the context of a model holds."""

_KEPT = "It may lie anywhere in the repository of its manifest, and not in .git."


@dataclass(slots=True)
class PromptFile:
    """One file, read. `text` is None where it cannot be used; `body` is what may be shown of it.

    `problems` have their places, in the file itself. `users` are manifests and the keys there.
    """

    body: bytes = b""
    text: str | None = None
    problems: list[Problem] = field(default_factory=list)
    users: set[tuple[str, str]] = field(default_factory=set)

    def inspect(self, path: Path) -> None:
        """Looks for what may be wrong with any prompt; `path` is the message it was read for."""
        self.problems = [problem._replace(path=path) for problem in self.problems]
        self.problems += _inspected(self.text, path)
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            self.text = None


@dataclass(slots=True)
class Prompts:
    """Of one manifest: the prompt for each key that has one in a file, None where that cannot be
    used; and what is wrong in the manifest itself."""

    texts: dict[str, str | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class PromptFiles:
    """Reads each file once, however many tasks name it. `root` is the working folder."""

    def __init__(self, root: FilePath) -> None:
        self.files: dict[str, PromptFile] = {}
        self._root = root
        self._names: dict[FilePath, str] = {}
        self._homes: dict[FilePath, _Home] = {}

    def of(self, data: Any, manifest: str, folder: FilePath, refused: Collection[Path]) -> Prompts:
        """The prompts of a manifest's document, which may break the schema at `refused`.

        `manifest` is its name and `folder` where it is.
        """
        found = Prompts()
        for key, given in _named(data):
            path: Path = ("tasks", key, "message", "contentFile")
            if path in refused:
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
                found.problems.append(name._replace(path=path))
        return found

    def _file(self, manifest: str, folder: FilePath, given: str) -> str | Problem:
        """The name of the file, read by now; or what keeps it from being read."""
        home = self._homes.get(folder)
        if home is None:
            home = self._homes[folder] = _home(folder, self._root)
        try:
            real = _resolved(home.folder / given)
            outside = _outside(real, home)
            if outside is not None:
                return Problem((), outside, _KEPT)
            if real not in self._names:
                name = self._shown(manifest, given, real)
                self.files[name] = _read(_content(real))
                self._names[real] = name
        except OSError as problem:
            what = f"{quoted(given)} cannot be read: {problem.strerror or problem}"
            return Problem((), what, "The path counts from the folder of the manifest.")
        except ValueError:  # what the system's encoding has no bytes for
            return Problem((), f"{quoted(given)} is no name that a file can have here")
        return self._names[real]

    def _shown(self, manifest: str, given: str, real: FilePath) -> str:
        """As a user would write it; by its real place where a link makes that another one."""
        name = shown_name(self._root, str(FilePath(manifest).parent / given))
        if _resolved(self._root / name) == real:
            return name
        return shown_name(_resolved(self._root), str(real))


def _named(data: Any) -> Iterator[tuple[str, str]]:
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        message = task.get("message") if isinstance(task, dict) else None
        if type(message) is dict and isinstance(message.get("contentFile"), str):
            yield key, message["contentFile"]


class _Home(NamedTuple):
    """The folder of a manifest, and what its prompts must lie in, links resolved."""

    folder: FilePath
    top: FilePath
    is_repository: bool


def _resolved(path: FilePath) -> FilePath:
    """All links followed, there or not; `Path.resolve` raises where they lead in a circle."""
    return FilePath(os.path.realpath(path))


def _home(folder: FilePath, working: FilePath) -> _Home:
    """In the repository of the folder, else in the working folder."""
    real, top = _resolved(folder), repository_root(folder)
    return _Home(real, top or _resolved(working), is_repository=top is not None)


def _outside(real: FilePath, home: _Home) -> str | None:
    """Why the file may not be read, whether or not it is there."""
    if not real.is_relative_to(home.top):
        if home.is_repository:
            return "leads out of the repository; a prompt must lie in that of its manifest"
        return "leads out of the working folder; where no repository is, a prompt must lie in that"
    if ".git" in map(str.lower, real.relative_to(home.top).parts):
        return "leads into `.git`, which may hold credentials"
    return None


def _content(real: FilePath) -> bytes:
    # Not blocking: a pipe without a writer would be waited for before it can be looked at.
    descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(MAX_BYTES + 1)


def _read(content: bytes) -> PromptFile:
    """The prompt as a block scalar with `|` would hold it: line feeds, of those at its end one."""
    body = content.removeprefix(encoding.BOM)
    file = PromptFile(body.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    problem = encoding.unreadable(body, "a prompt")
    if len(content) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 1024} KiB: no model reads so long a prompt"
        problem = Problem((), what, line=1, column=1)
    if problem is not None:
        file.problems.append(problem)
        return file
    text = file.body.decode("utf-8")
    trimmed = text.rstrip("\n")
    file.text = trimmed + "\n" if len(text) > len(trimmed) else trimmed
    return file


def _inspected(text: str | None, path: Path) -> Iterator[Problem]:
    """What may be wrong with any prompt, at its place in the file."""
    if text is None:
        return
    if not text or text.isspace():
        yield Problem(path, "the file is blank: what is the agent to do?", line=1, column=1)
        return
    for problem in prompt_problems(path, text):
        before = text[: max(text.find(problem.secret or ""), 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        yield problem._replace(line=line, column=column)


def hidden(file: PromptFile, sensitive: Mapping[str, Collection[str]]) -> bool:
    """Whether a task whose prompt no report shows has it from this file."""
    return any(key in sensitive.get(manifest, ()) for manifest, key in file.users)
