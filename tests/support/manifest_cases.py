"""The directory of bad manifests: each case is a test by existing (`NAME.yaml` and `NAME.expect`).

A case may be a directory `NAME/` instead of a file. `.expect` has a line for each diagnostic, in
order: `FILE:LINE:COL: SEVERITY: CODE/CASE PATH`. Wording is reviewed in
`tests/unit/messages/messages.txt` only.
"""

from __future__ import annotations

from pathlib import Path

from reconciler.manifest.loader import Manifests, load
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.paths import shown
from tests.support.repository import track

CASES = Path(__file__).parents[1] / "acceptance" / "manifests"
NAMES = sorted(path.name for path in CASES.iterdir() if path.suffix != ".expect")


def expected(name: str) -> list[str]:
    return (CASES / name).with_suffix(".expect").read_text(encoding="utf-8").splitlines()


def lines(manifests: Manifests) -> list[str]:
    return [line(diagnostic) for diagnostic in manifests.diagnostics]


def code(diagnostic: Diagnostic) -> str:
    """`CODE/CASE`, or `CODE` for the only or first wording of a code."""
    return f"{diagnostic.code}/{diagnostic.case}".removesuffix("/")


def only_code(manifests: Manifests) -> str:
    """The code of the only diagnostic."""
    (found,) = manifests.diagnostics
    return code(found)


def line(d: Diagnostic) -> str:
    return f"{d.file}:{d.line}:{d.column}: {d.severity}: {code(d)} {shown(d.at.path)}".rstrip()


def loaded(text: str | bytes, folder: Path, name: str = "a.yaml") -> Manifests:
    """Loads one manifest with this text. In a repository, all files are added first."""
    content = text.encode("utf-8") if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    if (folder / ".git").exists():
        track(folder)
    return load([name], root=folder)
