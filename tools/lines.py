"""Counts lines of code: lines that hold a token, without comments and without statements that are
only a string. `python -m tools.lines [FOLDER ...]` prints each folder's packages and its total."""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from pathlib import Path

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of(path: Path) -> int:
    """The number of lines of code in a Python file."""
    texts: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            case _:
                pass
    with tokenize.open(path) as file:
        held = {
            line
            for token in tokenize.generate_tokens(file.readline)
            if token.type not in LAYOUT
            for line in range(token.start[0], token.end[0] + 1)
        }
    return len(held - texts)


def main(folders: list[str]) -> None:
    """Print the lines of code of each package of each folder."""
    for folder in map(Path, folders or ["reconciler"]):
        counts: Counter[str] = Counter()
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).parts
            counts[parts[0] if len(parts) > 1 else "."] += lines_of(path)
        for package, count in counts.most_common():
            print(f"{count:7,}  {folder / package}")
        print(f"{counts.total():7,}  {folder}")


if __name__ == "__main__":
    main(sys.argv[1:])
