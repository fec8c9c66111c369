"""Reports in files: written after everything else, each whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

from reconciler.app.repository import locator
from reconciler.cli.options.common import Common, ReportFile
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.errors import TaskctlError
from reconciler.render import renderer
from reconciler.render.reports import Report, Style
from reconciler.state import disk

_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|(stderr))")


def write_reports(report: Report, common: Common) -> None:
    """Writes each of `common.reports`; TaskctlError for those that cannot be, the others done."""
    style = Style(
        quiet=common.quiet, verbose=common.verbose, locate=locator(common.root), diagnostics=True
    )
    failed = [
        problem
        for wanted in common.reports
        if (problem := _written(report, style, wanted, common)) is not None
    ]
    if failed:
        raise TaskctlError(failed)


def _written(report: Report, style: Style, wanted: ReportFile, common: Common) -> Diagnostic | None:
    name = wanted.file or ""
    text = renderer(wanted.format).render(report, style)
    if _is_of_a_state(common.path(name)):
        return error(
            f"the {wanted.format} report would take the place of a state, or of its journal",
            "It was left as it is. Everything else was done, and what it came to was told. Choose "
            f"another place:\n    --report {wanted.format}=FILE",
            file=name,
        )
    try:
        write_whole(common.path(name), text.encode("utf-8", "backslashreplace"))
    except OSError as problem:
        return error(
            f"cannot write the {wanted.format} report: {problem.strerror or problem}",
            "Everything else was done, and what it came to was told. Choose another place:\n"
            f"    --report {wanted.format}=FILE",
            file=name,
        )
    return None


def _is_of_a_state(path: Path) -> bool:
    """A state or a companion of one, by its name or by the lock beside it."""
    name = re.sub(r"\.(journal|backup|lock)$", "", path.name)
    return name.endswith(".state.json") or path.with_name(f"{name}.lock").exists()


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Makes the file, and folders above it, or replaces it, its mode and links to it kept: at each
    moment it is whole. `durable`: on the disk when it returns. Raises OSError.

    What is no regular file (a pipe, a device, an open descriptor) is written to as it is.
    """
    descriptor = _DESCRIPTOR.fullmatch(str(path))
    if descriptor is not None:
        sys.stderr.flush()
        _write(os.dup(int(descriptor[1] or 2)), data)
        return
    target = path.resolve()
    if target.exists() and not target.is_file():
        _write(os.open(target, os.O_WRONLY), data)
        return
    disk.make_folder(target.parent)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    mode = S_IMODE(target.stat().st_mode) if target.exists() else None
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        made = os.open(temporary, flags, 0o666 if mode is None else mode)
        _write(made, data, durable=durable)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        disk.sync_folder(target.parent)


def _write(descriptor: int, data: bytes, *, durable: bool = False) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            disk.sync(descriptor)
