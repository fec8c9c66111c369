"""The files that `init` wrote, and the texts to copy."""

from __future__ import annotations

from pathlib import PurePath

from reconciler.app.init import InitReport
from reconciler.messages.commands import Commands
from reconciler.model.shell import command_line, file_word
from reconciler.render import cells, safe
from reconciler.render.document import json_document

MAX_KEPT = 4
"""The maximum number of existing files that are listed: there may be hundreds of manifests."""

_MORE_FILES = {"--hook": ".pre-commit-config.yaml", "--workflow": "taskctl-plan.yml"}


def init_document(report: InitReport) -> dict[str, object]:
    return json_document(written=report.written, kept=report.kept)


def init_text(report: InitReport, commands: Commands) -> str:
    """The written files, texts to copy into existing files, and the next steps."""
    done = [f"wrote  {safe.line(name)}\n" for name in report.written]
    done += [
        f"kept   {safe.line(name)}{' (up to date)' if name in report.current else ''}\n"
        for name in report.kept[:MAX_KEPT]
    ]
    if len(report.kept) > MAX_KEPT:
        done.append(f"kept   {len(report.kept) - MAX_KEPT} more\n")
    shown = [
        f"{name} exists. Add what it lacks of:\n\n"
        + "".join(f"    {row}".rstrip() + "\n" for row in text.splitlines())
        for name, text in report.shown
    ]
    if report.placeholders:
        shown.append("In the workflows, replace " + ", ".join(report.placeholders) + ".\n")
    return "\n".join(["".join(done), *shown, _next_steps(report, commands)])


def _next_steps(report: InitReport, commands: Commands) -> str:
    """Commands to run next, from the current directory."""
    completed = commands.completed
    there = ("-C", report.folder) if report.folder else ()
    new = (
        (report.tasks,) if report.tasks else there
    )  # with -C, a parent directory's configuration would select other manifests
    known = {PurePath(name).name for name in (*report.written, *report.kept)}
    steps = [
        (completed(command_line("validate", *new)), "check the manifests, offline"),
        (
            completed(command_line("plan", "--backend", "local", *new)),
            "plan without an account or a network",
        ),
    ]
    if _MORE_FILES["--hook"] in known and not report.folder:
        steps.append(("pre-commit install", "run the hooks, in each clone"))
    if "taskctl-plan.yml" in known:
        command = completed(command_line("state", "init", *there))
        steps.append((command, "create the shared state, once"))
    if "taskctl-plan.yml" in known and report.written:
        steps += [
            (" ".join(["git", "add", *map(file_word, report.written)]), "what was written"),
            ("git commit -m 'Manage agent tasks with taskctl'", "CI plans it once it is pushed"),
        ]
    lacking = [option for option, name in _MORE_FILES.items() if name not in known]
    more = completed(command_line("init", *lacking, *there))
    width = max(cells.width(command) for command, _ in steps[:2])
    rows = [f"    {cells.pad(command, width)}  # {why}\n" for command, why in steps]
    return f"Next steps:\n{''.join(rows)}" + (
        f"\nTo write more files, run:\n    {more}\n" if lacking and not report.tasks else ""
    )
