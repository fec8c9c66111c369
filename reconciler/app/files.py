"""Files that the user requested: written atomically, and never through a link in the repository."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from reconciler.manifest.repository import refuse_link_out, repository_root, resolved
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.remarks import Arg
from reconciler.system import disk

_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|(stderr))")
PUBLIC = 0o644


def write_file(
    root: Path,
    name: str,
    data: bytes,
    what: str,
    *,
    mode: int = disk.PRIVATE,
    **facts: Arg,
) -> None:
    """Creates or replaces a file atomically and durably, and creates its parent directories.

    `name` is the path as the user typed it, relative to `root`; `what` and `facts` are the case and
    the facts of the diagnostic if it cannot be written. A link is kept and its target replaced,
    unless it leads out of the repository. A new file has this `mode`. Pipes, devices and
    descriptors (`/dev/fd/3`) are written to directly. Raises TaskctlError.
    """
    refuse_link_out(root, name, "write")
    try:
        _write_file(root / name, data, mode)
    except OSError as problem:
        why, at = problem.strerror or str(problem), Place(name)
        raise TaskctlError.of(Code.CANNOT_WRITE, what, at=at, why=why, **facts) from problem


def _write_file(path: Path, data: bytes, mode: int) -> None:
    descriptor = _DESCRIPTOR.fullmatch(str(path))
    if descriptor is not None:
        sys.stderr.flush()
        _write_directly(os.dup(int(descriptor[1] or 2)), data)
        return
    target = resolved(path)
    if target.exists() and not target.is_file():
        _write_directly(os.open(target, os.O_WRONLY), data)
        return
    disk.make_folder(target.parent)
    disk.replace_file(target, data, mode=None if target.exists() else mode)


def _write_directly(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def locator(folder: Path) -> Callable[[str], str]:
    """Turns the name of a file, relative to `folder`, into its path from the root of the
    repository, which code hosts link to. Other names are returned unchanged."""
    top = repository_root(folder)
    if top is None:
        return lambda file: file
    base = folder.resolve()

    def locate(file: str) -> str:
        plain = Path(os.path.normpath(base / file))
        for path in (plain, plain.parent.resolve() / plain.name):
            if path.is_relative_to(top):
                return path.relative_to(top).as_posix()
        return file

    return locate
