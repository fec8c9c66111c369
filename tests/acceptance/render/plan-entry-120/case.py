"""A wider terminal shows the same entry in fewer lines, with color."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

REPORT = run_path(str(Path(__file__).parents[1] / "plan-entry" / "case.py"))["REPORT"]
STYLE = {"width": 120, "color": True}
