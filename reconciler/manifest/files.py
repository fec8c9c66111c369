"""Files that a manifest refers to: prompts (`message: {contentFile: PATH}`) and data.

A manifest must not make taskctl read any other file of the machine into a prompt. With symbolic
links resolved, the file must be in the manifest's repository, must not be hidden (as `.git` is,
where a checkout keeps tokens), and in a git repository, it must be tracked.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path as FilePath
from typing import NamedTuple

from reconciler.manifest.comments import blocks
from reconciler.manifest.discovery import shown_name
from reconciler.manifest.document import Document, PromptFile
from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.links import Resolver
from reconciler.manifest.parse.errors import BOM, check_encoding
from reconciler.manifest.parse.spans import LineIndex
from reconciler.manifest.repository import (
    clone_below,
    in_git,
    is_hidden,
    repository_root,
    resolved,
)
from reconciler.manifest.task_checks import check_prompt
from reconciler.manifest.tracked_files import TrackedFiles
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.value import Value, replace
from reconciler.system import disk

_PATH = r".{1,200}\.[A-Za-z0-9]{1,10}|\S{1,200}/\S{1,200}"
"""Prompts for which a file is looked up, because they may be its path: one line that ends with a
suffix, or one word with a `/`."""

_WORD = r"(?!\w+://)[^\s{}]*[^\s{}/]\.(?:md|markdown|txt|prompt)"
"""Prompts that can only be a path: one word with the suffix of a text file."""

_LISTED = 1_000
"""The maximum number of files of a directory that are searched for a similar name."""


class NamedFile(Value, frozen=True):
    """`name` is the file's name in messages; `content` ends one byte after the limit."""

    name: str
    content: bytes


class NamedFiles:
    """Reads each file once, however many manifests refer to it. `root` is the working directory.

    `prompts` are all prompt files, by their names in messages.
    """

    def __init__(self, root: FilePath, tracked: TrackedFiles) -> None:
        self.prompts: dict[str, PromptFile] = {}
        self._root, self._tracked = root, tracked
        self._files: dict[FilePath, NamedFile | Finding] = {}
        self._answers: dict[tuple[FilePath, str], NamedFile | Finding] = {}
        self._homes: dict[FilePath, tuple[FilePath, FilePath, bool]] = {}
        self._resolver = Resolver()
        self._checks: dict[tuple[FilePath, FilePath], _Folder] = {}
        self._searches = SimilaritySearches()

    def read(self, document: Document, given: str) -> NamedFile | Finding:
        """The file that a manifest calls `given`, or the reason why it cannot be read."""
        asked = document.folder, given
        if asked not in self._answers:
            self._answers[asked] = self._read(document, given)
        return self._answers[asked]

    def _read(self, document: Document, given: str) -> NamedFile | Finding:
        folder = document.folder
        if len(given) > limits.PATH_CHARACTERS:
            return Finding(Code.UNREADABLE_FILE, (), "long", {"most": limits.PATH_CHARACTERS})
        try:
            home, top, _ = self._home(folder)
            if _is_deep(os.path.normpath(home / given), top):
                return _TOO_DEEP
            found_path = self._resolver.resolve(home, given)
            real = FilePath(found_path.path)
            # Before anything else: no message may reveal whether such a file exists.
            if (outside := self._outside(real, folder)) is not None:
                facts = {"file": self._shown_name(document, given)}
                return Finding(Code.OUTSIDE_REPOSITORY, (), outside, facts)
            if found_path.is_cut_off:
                return _TOO_MANY_LINKS
            if _is_deep(found_path.path, top):  # a link leads there
                return _TOO_DEEP
            if real not in self._files:
                name = None if found_path.has_links else self._shown_name(document, given)
                self._files[real] = self._read_tracked(real, folder, name)
            found = self._files[real]
        except FileNotFoundError:
            missing = Finding(Code.UNREADABLE_FILE, (), "missing", {"file": given})
            return self._with_similar(missing, "missing.similar", given, real, folder)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            return Finding(Code.UNREADABLE_FILE, (), "prompt", {"file": given, "reason": reason})
        except ValueError:  # the system's encoding cannot represent it
            return Finding(Code.UNREADABLE_FILE, (), "name", {"file": given})
        if isinstance(found, Finding) and found.case == "untracked":
            return self._with_similar(found, "untracked.similar", given, real, folder)
        return found

    def _read_tracked(
        self, real: FilePath, folder: FilePath, name: str | None
    ) -> NamedFile | Finding:
        real_name = os.path.relpath(real, self._real_root).replace(os.sep, "/")
        if (refused := self._untracked(real, folder, real_name)) is not None:
            return refused
        content = disk.read_resolved(real, limits.NAMED_FILE_BYTES)
        refused = self._untracked(real, folder, real_name, content)
        return refused or NamedFile(name or real_name, content)

    def _untracked(
        self, real: FilePath, folder: FilePath, name: str, content: bytes | None = None
    ) -> Finding | None:
        _, top, is_repository = self._home(folder)
        return self._tracked.refusal(top, real, name, content) if is_repository else None

    def _with_similar(
        self, finding: Finding, case: str, given: str, real: FilePath, folder: FilePath
    ) -> Finding:
        """The finding; if exactly one file in the same directory has a similar name, with that name
        and `case`. Never reveals a hidden or an untracked file."""
        from reconciler.manifest.schema_findings import similar

        if real == self._home(folder)[1]:
            return finding
        try:
            with os.scandir(real.parent) as entries:
                listed = [entry.name for entry in islice(entries, _LISTED)]
        except OSError:
            return finding
        if not self._searches.may_compare(real.stem, listed):
            return finding
        names = {
            FilePath(name).stem: name
            for name in listed
            if not name.startswith(".")
            and self._untracked(real.parent / name, folder, name) is None
        }
        near = similar(real.stem, names)
        if near is None:
            return finding
        facts = {"file": given, "near": FilePath(given).with_name(names[near]).as_posix()}
        return replace(finding, case=case, facts=facts)

    def _shown_name(self, document: Document, given: str) -> str:
        return shown_name(self._root, str(FilePath(document.file).parent / given))

    @cached_property
    def _real_root(self) -> FilePath:
        return resolved(self._root)

    def read_prompts(self, document: Document) -> None:
        """Reads the prompts of a document, which may have errors."""
        rejected = document.rejected
        document.findings += self._paths(document)
        for key, given in _named(document.data):
            path: Path = ("tasks", key, "message", "contentFile")
            if path in rejected:
                continue
            named = self.read(document, given)
            if isinstance(named, Finding):
                document.prompts[key] = None
                document.findings.append(named.at_path(path))
                continue
            declared = document.declared(key)
            file = self.prompts.get(named.name)
            if file is None:
                file = _prompt_file(named.content, ("tasks", declared, "message"))
                self.prompts[named.name] = file
            file.users.add((document.file, declared))
            document.prompts[key], document.prompt_files[key] = file.text, file

    def _paths(self, document: Document) -> Iterator[Finding]:
        """An error for each prompt that is the path of an existing file, relative to the manifest
        or to the working directory; a warning for one that can only be a path."""
        for path, text in _prompts(document.data):
            given = text.strip()
            if "\n" in given or re.fullmatch(_PATH, given) is None:
                continue
            for base in dict.fromkeys((self._home(document.folder)[0], self._real_root)):
                if self._is_shared_file(base, given, document.folder):
                    name = os.path.relpath(base / given, document.folder)
                    facts = {"file": FilePath(name).as_posix()}
                    yield Finding(Code.PROMPT_IS_PATH, path, "", facts)
                    break
            else:
                if re.fullmatch(_WORD, given, re.IGNORECASE):
                    yield warning_finding(Code.PROMPT_IS_PATH, path, "missing", {"file": given})

    def _is_shared_file(self, base: FilePath, given: str, folder: FilePath) -> bool:
        """Whether this file exists, and a manifest in `folder` may refer to it, tracked or not."""
        if _is_deep(os.path.normpath(base / given), self._home(folder)[1]):
            return False
        try:
            found = self._resolver.resolve(base, given)
            if found.is_cut_off or not stat.S_ISREG(os.lstat(found.path).st_mode):
                return False
            return self._outside(FilePath(found.path), folder) is None
        except (OSError, ValueError):
            return False

    def _home(self, folder: FilePath) -> tuple[FilePath, FilePath, bool]:
        """The directory with links resolved; its repository, or else the working directory; and
        whether that is a repository."""
        if folder not in self._homes:
            top = repository_root(folder)
            home = resolved(folder), top or self._real_root, top is not None
            self._homes[folder] = home
        return self._homes[folder]

    def _outside(self, real: FilePath, folder: FilePath) -> str | None:
        """The case of OUTSIDE_REPOSITORY for a file that must not be read, None for other files."""
        _, top, is_repository = self._home(folder)
        if not real.is_relative_to(top):
            return "prompt" if is_repository else "prompt-directory"
        if real == top:
            return None  # a directory, which cannot be read
        parent = self._checks.get((top, real.parent))
        if parent is None:
            parent = self._checks[top, real.parent] = _Folder.of(top, real.parent)
        name = FilePath(real.name)
        if parent.in_git or in_git(name):
            return "prompt-git"
        if parent.is_hidden or is_hidden(name):
            return "prompt-hidden"
        if parent.in_clone or os.path.lexists(real / ".git"):
            return "prompt-another"
        return None


class _Folder(NamedTuple):
    """Reasons why no file of a directory in a repository may be read."""

    in_git: bool
    is_hidden: bool
    in_clone: bool

    @classmethod
    def of(cls, top: FilePath, real: FilePath) -> _Folder:
        inside = real.relative_to(top)
        return cls(in_git(inside), is_hidden(inside), clone_below(top, real) is not None)


_TOO_DEEP = Finding(Code.UNREADABLE_FILE, (), "parts", {"most": limits.PATH_PARTS})
_TOO_MANY_LINKS = Finding(Code.UNREADABLE_FILE, (), "links", {"most": limits.LINK_PARTS})


def _is_deep(path: str, top: FilePath) -> bool:
    """Whether a path has too many parts below `top`; each part costs a few system calls."""
    start = os.path.join(top, "")  # noqa: PTH118
    return path.startswith(start) and path.count(os.sep, len(start)) >= limits.PATH_PARTS


def _prompts(data: object) -> Iterator[tuple[Path, str]]:
    """The prompts written in a manifest, and their paths."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        message = task.get("message") if isinstance(task, dict) else None
        if type(message) is str:
            yield ("tasks", key, "message"), message
        elif type(message) is dict and isinstance(message.get("content"), str):
            yield ("tasks", key, "message", "content"), message["content"]


def _named(data: object) -> Iterator[tuple[str, str]]:
    tasks = data.get("tasks") if isinstance(data, dict) else None
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        message = task.get("message") if isinstance(task, dict) else None
        if type(message) is dict and isinstance(message.get("contentFile"), str):
            yield key, message["contentFile"]


def _prompt_file(content: bytes, path: Path) -> PromptFile:
    """The prompt in the form of a block scalar with `|`: with line feeds, and at most one at its
    end. `path` is the message that it was first read for."""
    body = content.removeprefix(BOM)
    file = PromptFile(has_braces=b"{{" in body)
    unreadable = check_encoding(body)
    if len(content) > limits.NAMED_FILE_BYTES:
        limit = limits.NAMED_FILE_BYTES // 1024
        unreadable = Finding(Code.FILE_TOO_LARGE, (), "prompt", {"limit": limit}, position=(1, 1))
    if unreadable is not None:
        file.findings.append(unreadable.at_path(path))
        return file
    text = body.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    trimmed = text.rstrip("\n")
    text = trimmed + "\n" if len(text) > len(trimmed) else trimmed
    if not text or text.isspace():
        file.findings.append(Finding(Code.BLANK_PROMPT, path, "file", position=(1, 1)))
    else:
        lines = LineIndex(text)
        for finding in check_prompt(path, text):
            part = finding.secret or str(finding.facts.get("text", ""))
            at = lines.position(max(text.find(part), 0))
            file.findings.append(finding.at_position(*at))
    if not any(blocks(finding) for finding in file.findings):
        file.text = text
    return file
