"""What `taskctl fmt` does with files: reads, has each formatted, writes back, and tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click

from reconciler.app.report_files import write_whole
from reconciler.cli.console.output import Output
from reconciler.manifest.discovery import Finder, unreadable
from reconciler.manifest.fmt import Formatted, format_manifest
from reconciler.manifest.parse.source import MAX_BYTES
from reconciler.manifest.repository import read_regular
from reconciler.messages import diagnostic_document
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, has_errors, in_order
from reconciler.render import safe
from reconciler.render.json import dump
from reconciler.render.palette import Palette

STDIN = "<stdin>"


class Formatting:
    """One run. `check` and `diff` write no file; `check` makes a change a failure."""

    def __init__(self, out: Output, *, check: bool, diff: bool) -> None:
        self._out = out
        self._check, self._diff = check, diff
        self._found: dict[str, Formatted] = {}
        self._problems: list[Diagnostic] = []
        self._linked: set[str] = set()

    def run(self, paths: Sequence[str]) -> int:
        """The exit code: 1 for an error, and with `check` for a file that would change."""
        self._out.source = self._text_of
        if "-" in paths:
            return self._stdin(paths)
        files = self._files(paths)
        for name in sorted(files):
            self._format(name, files[name])
        if self._out.common.format == "json":
            self._out.document(dump(self._document()))
        else:
            self._out.diagnostics(self._problems)
            self._tell()
        return self._code()

    def _stdin(self, paths: Sequence[str]) -> int:
        if len(paths) > 1:
            raise click.UsageError("'-' is stdin, and stands alone")
        found = self._take(STDIN, sys.stdin.buffer.read())
        if self._out.common.format == "json":
            text = None if found.content is None else found.content.decode()
            self._out.document(dump({**self._document(), "text": text}))
        else:
            self._out.diagnostics(self._problems)
            if self._check or self._diff:
                self._tell()
            elif found.content is not None:
                self._out.told = True
                sys.stdout.flush()
                sys.stdout.buffer.write(found.content)
                sys.stdout.buffer.flush()
        return self._code()

    def _files(self, paths: Sequence[str]) -> dict[str, Path]:
        finder = Finder(self._out.common.root)
        paths = paths or self._out.common.config.paths
        for path in paths:
            finder.path(path)
        if not paths:
            finder.default_locations()
        self._problems += finder.diagnostics
        self._linked = finder.linked
        return finder.files

    def _format(self, name: str, path: Path) -> None:
        try:
            found = self._take(name, read_regular(path, MAX_BYTES))
            if found.content is None or not found.changed or self._check or self._diff:
                return
            if name in self._linked:
                self._problems.append(error(Code.UNSAFE_EDIT, "link", at=Place(name)))
                del self._found[name]
                return
            write_whole(path, found.content)
        except OSError as problem:
            if name in self._found:
                why = f"manifest: cannot be written: {problem.strerror}; it is as it was"
                self._problems.append(error(why, file=name))
                del self._found[name]
            else:
                self._problems.append(unreadable(name, problem))

    def _take(self, name: str, content: bytes) -> Formatted:
        found = self._found[name] = format_manifest(content, name)
        self._problems += found.diagnostics
        return found

    def _changed(self) -> list[str]:
        return [name for name, found in self._found.items() if found.changed]

    def _code(self) -> int:
        return int(has_errors(self._problems) or (self._check and bool(self._changed())))

    def _tell(self) -> None:
        """The files that changed, on stdout, or how; their number to a person."""
        if self._out.common.quiet:
            return
        changed = self._changed()
        if self._diff:
            self._out.document("".join(map(self._diff_of, changed)))
        else:
            self._out.document("".join(f"{safe.line(name)}\n" for name in changed))
        would = "would be formatted" if self._check or self._diff else "formatted"
        right = sum(found.content is not None for found in self._found.values()) - len(changed)
        parts = [f"{_files(len(changed))} {would}"] if changed else []
        parts += [f"{_files(right)} in form already"] if right else []
        if parts:
            self._out.note(f"{', '.join(parts)}.")

    def _diff_of(self, name: str) -> str:
        palette = Palette(self._out.style_of_result().color)
        paints = {"+": palette.green, "-": palette.red, "@": palette.dim}
        rows = [safe.block(row) for row in _diff(name, self._found[name])]
        return "".join(f"{paints.get(row[:1], str)(row)}\n" for row in rows)

    def _document(self) -> dict[str, Any]:
        files = [
            {"file": name, "changed": found.changed}
            | ({"diff": _joined(name, found)} if self._diff and found.changed else {})
            for name, found in self._found.items()
            if found.content is not None
        ]
        changed = len(self._changed())
        return {
            "formatVersion": 1,
            "diagnostics": [diagnostic_document(d) for d in in_order(self._problems)],
            "summary": {"changed": changed, "unchanged": len(files) - changed},
            "files": files,
        }

    def _text_of(self, file: str) -> str | None:
        found = self._found.get(file)
        return None if found is None else found.before.decode("utf-8", "replace")


def _diff(name: str, found: Formatted) -> Iterator[str]:
    """A unified diff, its rows without line ends. A carriage return that goes shows as `\\r`."""
    before, after = _lines(found.before), _lines(found.content or b"")
    for row in unified_diff(before, after, name, name):
        yield row.removesuffix("\n").replace("\r", "\\r")
        if not row.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(content: bytes) -> list[str]:
    """With their line feeds; those of a text mean nothing else here."""
    *lines, last = content.decode("utf-8").split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _joined(name: str, found: Formatted) -> str:
    return "".join(f"{row}\n" for row in _diff(name, found))


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
