"""Any manifest or data file gives tasks, or diagnostics with a place, in every text encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.manifest.loader import load
from reconciler.messages import word
from reconciler.model.diagnostics import has_errors

FORMATS = ("csv", "txt", "yaml", "json")
ENTRY = """\
version: 1
orgName: acme
tasks:
  entry:
    forEach: {{row: {{file: rows.{0}}}}}
    message: Do {{{{ row }}}}.
"""


@contextmanager
def checking_manifests(folder: Path) -> Iterator[Callable[[bytes], None]]:
    def check(content: bytes) -> None:
        (folder / "a.yaml").write_bytes(content)
        _check(folder, "a.yaml", {"a.yaml"})

    yield check


@contextmanager
def checking_data(folder: Path) -> Iterator[Callable[[bytes], None]]:
    """The same bytes as each kind of data file."""
    for ending in FORMATS:
        (folder / f"{ending}.tasks.yaml").write_text(ENTRY.format(ending), encoding="utf-8")

    def check(content: bytes) -> None:
        for ending in FORMATS:
            (folder / f"rows.{ending}").write_bytes(content)
            manifest = f"{ending}.tasks.yaml"
            _check(folder, manifest, {manifest, f"rows.{ending}"})

    yield check


def _check(folder: Path, manifest: str, files: set[str]) -> None:
    found = load([manifest], root=folder)
    for diagnostic in found.diagnostics:
        assert word(diagnostic).summary
        assert diagnostic.file in files
    if not has_errors(found.diagnostics):
        assert all(task.key for task in found.tasks)
