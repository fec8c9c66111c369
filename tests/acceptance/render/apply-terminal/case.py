from __future__ import annotations

from pathlib import Path
from runpy import run_path

REPORT = run_path(str(Path(__file__).parents[1] / "apply" / "case.py"))["REPORT"]
STYLE = {"terminal": True, "width": 60}
