"""What `taskctl init` writes and shows. No file that is there is touched, but for .gitignore, which
gets further lines when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.cli.console.output import Output
from reconciler.manifest.repository import repository_root
from reconciler.model.errors import TaskctlError
from reconciler.render import safe
from reconciler.resources import schema_text, template_text

WORKFLOWS = {
    ".github/workflows/taskctl-plan.yml": "github-plan.yml",
    ".github/workflows/taskctl-apply.yml": "github-apply.yml",
}
_PLACEHOLDER = (
    "Replace `your-org/taskctl` with the repository that holds taskctl, `COMMIT` with a commit SHA."
)


class Beginning:
    """Writes into `folder`; `name` is the folder as the user typed it."""

    def __init__(self, out: Output, folder: Path, name: str) -> None:
        self._out = out
        self._folder = folder
        self._name = "" if name in (".", "./") else name.rstrip("/") + "/"
        self._written: list[str] = []
        self._left: list[str] = []
        self._shown: list[tuple[str, str]] = []

    def manifest(self) -> None:
        """An example, where there are no manifests yet: beside others it would be one more task."""
        from reconciler.manifest.discovery import Finder

        finder = Finder(self._folder)
        if self._folder.is_dir():
            finder.default_locations()
        if finder.files:
            self._left += sorted(finder.files)
            return
        self._write("tasks/example.yaml", template_text("example.yaml"))
        self._write("tasks/manifest.schema.json", schema_text("manifest"))

    def gitignore(self, *, write: bool) -> None:
        path, text = self._folder / ".gitignore", template_text("gitignore")
        there = _read(path).splitlines()
        missing = [line for line in text.splitlines() if line not in there]
        if not [line for line in missing if not line.startswith("#")]:
            self._left.append(".gitignore")
        elif not write:
            self._shown.append(("Lines for .gitignore (or: taskctl init --gitignore)", text))
        elif not path.exists():
            self._write(".gitignore", text)
        else:
            before = "" if not there or path.read_bytes().endswith(b"\n") else "\n"
            with _refusing(self._name + ".gitignore"), path.open("a", encoding="utf-8") as file:
                file.write(before + "".join(f"{line}\n" for line in missing))
            self._written.append(".gitignore")

    def place(self) -> None:
        """Tells a person who begins below the root of a repository."""
        top = repository_root(self._folder)
        if top is not None and top != self._folder.resolve():
            below = self._folder.resolve().relative_to(top).as_posix()
            self._out.note(
                f"note: hooks and workflows are read at the root of the repository, {top}: put "
                f"them there, with {below}/tasks for tasks, and with `-C {below}` behind taskctl."
            )

    def hook(self, *, write: bool) -> None:
        name, text = ".pre-commit-config.yaml", template_text("pre-commit-config.yaml")
        if write and self._write(name, text):
            return
        self._shown.append((f"Hooks, for {name}{'' if write else _or('--hook')}", text))

    def workflow(self, *, write: bool) -> None:
        for name, template in WORKFLOWS.items():
            text = template_text(template)
            if not (write and self._write(name, text)) and "apply" in name:
                title = f"A workflow, {name}{'' if write else _or('--workflow')}"
                self._shown.append((title, text))

    def tell(self) -> None:
        """What was done, what can be copied, and what comes next: on stdout, one result."""
        common = self._out.common
        if common.format == "json":
            from reconciler.render.json import dump

            document = {
                "formatVersion": 1,
                "diagnostics": [],
                "written": [self._name + name for name in self._written],
                "leftAlone": [self._name + name for name in self._left],
            }
            self._out.document(dump(document))
        elif not common.quiet:
            self._out.document("\n".join(self._paragraphs()))

    def _paragraphs(self) -> list[str]:
        done = [f"wrote       {safe.line(self._name + name)}\n" for name in self._written]
        done += [f"left alone  {safe.line(self._name + name)}\n" for name in self._left]
        shown = [
            f"{title}:\n\n" + "".join(f"    {row}".rstrip() + "\n" for row in text.splitlines())
            for title, text in self._shown
        ]
        texts = [text for _, text in self._shown]
        if any("your-org/" in text for text in texts) or any(
            name in WORKFLOWS for name in self._written
        ):
            shown.append(_PLACEHOLDER + "\n")
        return ["".join(done), *shown, template_text("next.txt")]

    def _write(self, name: str, text: str) -> bool:
        """Makes a file; False where there is one."""
        path = self._folder / name
        with _refusing(self._name + name):
            if os.path.lexists(path):
                self._left.append(name)
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        self._written.append(name)
        return True


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise TaskctlError.of(
            f"cannot be written: {problem.strerror}",
            "What was written before stays. Mend this, and run it again:\n    taskctl init",
            file=name,
        ) from problem


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _or(option: str) -> str:
    return f" (or: taskctl init {option})"
