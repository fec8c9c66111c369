from __future__ import annotations

from runpy import run_path

REPORT = run_path(__file__.replace("apply-quiet", "apply"))["REPORT"]
STYLE = {"quiet": True}
