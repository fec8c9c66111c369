"""The folder of bad manifests: each case is a test by existing (`NAME.yaml` and `NAME.expect`).

A case may be a folder `NAME/` instead of a file. `.expect` has the exact lines, in order.
"""

from __future__ import annotations

from pathlib import Path

from reconciler.manifest import Manifests, load

CASES = Path(__file__).parents[1] / "acceptance" / "manifests"
NAMES = sorted(path.name for path in CASES.iterdir() if path.suffix != ".expect")


def expected(name: str) -> list[str]:
    return (CASES / name).with_suffix(".expect").read_text(encoding="utf-8").splitlines()


def lines(manifests: Manifests) -> list[str]:
    return [
        f"{d.file}:{d.line}:{d.column}: {d.severity}: {d.summary}" for d in manifests.diagnostics
    ]


def loaded(text: str | bytes, folder: Path, name: str = "a.yaml") -> Manifests:
    """What one manifest with this text gives."""
    content = text.encode("utf-8") if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    return load([name], root=folder)
