"""Checks the tests: `python -m tools.mutants [--count N] [--seed N] [--skip N] [PATH ...]` breaks the package in
N random places, one at a time and in a copy, and runs the unit tests of the module. Prints the
changes that no test noticed: each is a missing test, or code that nothing needs."""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("action", "docs", "examples", "reconciler", "schemas", "tests", "tools")
SECONDS = 600
"""A run that takes longer is noticed, as an endless loop would be."""

_PAIRS = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot)),
    *((ast.In, ast.NotIn), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv)),
)
_OPPOSITES: dict[type[ast.AST], Any] = {
    a: b for one, other in _PAIRS for a, b in ((one, other), (other, one))
}


class Mutant(NamedTuple):
    """A change of a file: the text that replaces a piece of its code."""

    path: Path
    replaced: ast.expr | ast.stmt
    by: str

    def described(self, root: Path) -> str:
        """The change, on one line. `root` has the file without it."""
        before = ast.get_source_segment((root / self.path).read_text("utf-8"), self.replaced)
        short = " ".join((before or "").split())
        return f"{self.path}:{self.replaced.lineno}: {short}  ->  {self.by}"

    def apply(self, content: bytes) -> bytes:
        """The file with the change."""
        piece, lines = self.replaced, content.splitlines(keepends=True)
        end_line, end = piece.end_lineno or piece.lineno, piece.end_col_offset or 0
        before = [*lines[: piece.lineno - 1], lines[piece.lineno - 1][: piece.col_offset]]
        after = [lines[end_line - 1][end:], *lines[end_line:]]
        return b"".join([*before, self.by.encode(), *after])


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change of a file that this tool knows."""
    for node in _code(ast.parse((ROOT / path).read_bytes())):
        yield from (Mutant(path, node, text) for text in _changed(node))


def _code(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The nodes that run; annotations and imports for types do not."""
    match node:
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return
        case ast.expr() | ast.stmt():
            yield node
        case _:
            pass
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _code(child)


def _changed(node: ast.expr | ast.stmt) -> Iterator[str]:
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in _OPPOSITES:
            opposite = _OPPOSITES[type(operator)]()
            yield f"({ast.unparse(ast.Compare(left, [opposite], [right]))})"
        case ast.BoolOp(operator, values):
            yield f"({ast.unparse(ast.BoolOp(_OPPOSITES[type(operator)](), values))})"
        case ast.BinOp(left, operator, right) if type(operator) in _OPPOSITES:
            if not any(isinstance(side, ast.JoinedStr | ast.List) for side in (left, right)):
                yield f"({ast.unparse(ast.BinOp(left, _OPPOSITES[type(operator)](), right))})"
        case ast.UnaryOp(ast.Not(), operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(bool(value)):
            yield str(not value)
        case ast.Constant(int(value)):
            yield str(value + 1)
        case ast.IfExp(_, body, orelse):
            yield f"({ast.unparse(body)})"
            yield f"({ast.unparse(orelse)})"
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Continue() | ast.Break():
            yield "pass"
        case ast.Return(value) if value is not None and not isinstance(value, ast.Constant):
            yield "return None"


def tests_of(path: Path, root: Path) -> list[str]:
    """The unit tests that name a module, and those of its package."""
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    imported = re.compile(
        rf"\b{re.escape(name)}\b|from {re.escape(name.rpartition('.')[0])} import"
    )
    unit = root / "tests" / "unit"
    own = [p for p in sorted(unit.rglob("test_*.py")) if imported.search(p.read_text("utf-8"))]
    folder = unit / path.parts[1] if len(path.parts) > 2 else unit
    found = dict.fromkeys([*own, *([folder] if folder.is_dir() else [])])
    return [str(p.relative_to(root)) for p in found]


def is_noticed(mutant: Mutant, copy: Path) -> bool:
    """Whether a test fails in the copy of the repository with this change."""
    file = copy / mutant.path
    original = file.read_bytes()
    file.write_bytes(mutant.apply(original))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    try:
        ran = subprocess.run(
            [*command, *tests_of(mutant.path, copy)],
            cwd=copy,
            check=False,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_bytes(original)
    if ran.returncode not in (0, 1, 2):  # 2: a module cannot be imported
        raise OSError(ran.stdout.decode(errors="replace"))
    return ran.returncode != 0


def main() -> int:
    """Exit code 1 if there are changes that no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--skip", type=int, default=0, help="those that an earlier run has judged")
    parser.add_argument("paths", nargs="*", default=["reconciler"])
    given = parser.parse_args()
    files = [p for path in given.paths for p in sorted((ROOT / path).rglob("*.py"))]
    every = [m for file in files for m in mutants_of(file.relative_to(ROOT))]
    random.seed(given.seed)
    chosen = random.sample(every, min(given.count, len(every)))[given.skip :]
    print(f"{len(chosen)} of {len(every):,} changes, --seed {given.seed}", flush=True)
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            shutil.copytree(ROOT / name, Path(folder, name))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for number, mutant in enumerate(chosen, given.skip + 1):
            if not is_noticed(mutant, Path(folder)):
                missed.append(mutant)
                print(f"{number}: not noticed: {mutant.described(Path(folder))}", flush=True)
    print(f"{len(chosen) - len(missed)} noticed, {len(missed)} not")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
