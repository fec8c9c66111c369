"""The table of limits in SECURITY.md, from `reconciler/model/limits.py`."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.model.limits import table

PAGE = Path(__file__).resolve().parents[1] / "SECURITY.md"
_BLOCK = re.compile(r"(<!-- limits -->\n).*?(<!-- end of limits -->\n)", re.DOTALL)


def limits_page() -> str:
    """SECURITY.md with the table between its two comments."""
    rows = ["| input | at most | per |", "| --- | --- | --- |"]
    rows += [f"| {limit.what} | {limit.most} | {limit.scope} |" for limit in table()]
    made, count = _BLOCK.subn(
        lambda found: found[1] + "\n".join(rows) + "\n" + found[2],
        PAGE.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise ValueError("SECURITY.md has no place for the table of limits")
    return made
