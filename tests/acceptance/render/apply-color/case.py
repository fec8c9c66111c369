from __future__ import annotations

from runpy import run_path

REPORT = run_path(__file__.replace("apply-color", "apply"))["REPORT"]
STYLE = {"color": True}
