from __future__ import annotations

from runpy import run_path

REPORT = run_path(__file__.replace("failure-json", "failure"))["REPORT"]
FORMAT = "json"
