"""What `init` wrote, and what is to be copied."""

from __future__ import annotations

from pathlib import PurePath

from reconciler.app.init import InitReport
from reconciler.messages.commands import completed
from reconciler.model.address import documentation
from reconciler.model.shell import command_line
from reconciler.render import cells, safe
from reconciler.render.document import json_document

MAX_KEPT = 4
"""Existing files that are listed; a repository may have hundreds of manifests."""

_NO_ADDRESS = "`your-org/taskctl` with the repository that holds taskctl, "
_PLACEHOLDERS = (
    "Replace {address}`COMMIT` with the commit of taskctl's tag, `acme` with your organization, and"
    " `acme-taskctl` with its machine user."
)

_MORE_FILES = {
    "--gitignore": ".gitignore",
    "--hook": ".pre-commit-config.yaml",
    "--workflow": "taskctl-plan.yml",
}


def init_document(report: InitReport) -> dict[str, object]:
    return json_document(written=report.written, kept=report.kept)


def init_text(report: InitReport) -> str:
    """What was done, what to copy into existing files, and the next steps."""
    done = [f"wrote  {safe.line(name)}\n" for name in report.written]
    done += [f"kept   {safe.line(name)}\n" for name in report.kept[:MAX_KEPT]]
    if len(report.kept) > MAX_KEPT:
        done.append(f"kept   {len(report.kept) - MAX_KEPT} more\n")
    shown = [
        f"{name} exists. Add what it lacks of:\n\n"
        + "".join(f"    {row}".rstrip() + "\n" for row in text.splitlines())
        for name, text in report.shown
    ]
    if report.placeholders:
        address = "" if documentation("") else _NO_ADDRESS
        shown.append(_PLACEHOLDERS.format(address=address) + "\n")
    return "\n".join(["".join(done), *shown, _next_steps(report)])


def _next_steps(report: InitReport) -> str:
    """Commands to run from here."""
    there = ("-C", report.folder) if report.folder else ()
    offline = completed(command_line("validate", *there))
    plan = completed(command_line("plan", "--backend", "local", *there))
    known = {PurePath(name).name for name in (*report.written, *report.kept)}
    lacking = [option for option, name in _MORE_FILES.items() if name not in known]
    more = completed(command_line("init", *lacking, *there))
    width = max(map(cells.width, (offline, plan)))
    return (
        f"Next steps:\n    {cells.pad(offline, width)}  # check the manifests, offline\n"
        f"    {cells.pad(plan, width)}  # plan without an account or a network\n"
        + (f"\nTo write more files, run:\n    {more}\n" if lacking else "")
    )
