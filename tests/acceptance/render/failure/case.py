from __future__ import annotations

from reconciler.model.diagnostics import error, warning
from reconciler.render.reports import FailureReport

SOURCE = {
    ("tasks/a.yaml", 2): "    planMode: 'yes'",
    ("tasks/a.yaml", 3): "\t\tname: 漢字 approvalMod: auto",
    ("tasks/a.yaml", 4): "key: " + "x" * 200 + " here " + "y" * 200,
    ("tasks/a.yaml", 5): "esc \x1b[2J here\r",
    ("tasks/a.yaml", 6): "short",
}
REPORT = FailureReport(
    (
        error("no token for https://api.pulumi.com", "Set one:\n    PULUMI_ACCESS_TOKEN=..."),
        error("tasks.a.planMode: not a boolean", file="tasks/a.yaml", line=2, column=15),
        error("tasks.a: unknown key", "Did you mean?", file="tasks/a.yaml", line=3, column=12),
        error("tasks.a: too long", file="tasks/a.yaml", line=4, column=207),
        warning("tasks.a: odd", file="tasks/a.yaml", line=5, column=11),
        error("tasks.a: beyond", file="tasks/a.yaml", line=6, column=99),
        error("tasks.a: no column", file="tasks/a.yaml", line=6),
        error("not UTF-8", file="tasks/b.yaml"),
        error("::error::x\x1b[1m", "##[error]y\n::warning::z", file="::error file=x::y", line=1),
    )
)
STYLE = {"source": lambda file, line: SOURCE.get((file, line))}
