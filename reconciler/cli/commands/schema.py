"""`taskctl schema`: prints a JSON Schema."""

from __future__ import annotations

import click

from reconciler.cli.help import Choice, printing_command
from reconciler.system.resources import schema_text

SCHEMAS = (
    *("manifest", "state"),
    *("plan", "apply", "status", "wait", "results", "show", "state-list", "validate"),
)
"""The names of the schemas: two for files, then one for each document of `--format json`."""


@printing_command(
    "schema",
    click.Argument(["name"], metavar="[NAME]", type=Choice(SCHEMAS), default="manifest"),
    examples=[
        (
            "taskctl schema > taskctl.schema.json",
            "write the schema of manifests to a file, for an editor",
        ),
        ("taskctl schema plan", "print the schema of `taskctl plan --format json`"),
    ],
)
def command(name: str) -> str:
    """Print a JSON Schema: of manifests, of the state file, or of the output of a command.

    NAME is manifest (the default), state, or a command whose `--format json` output the schema
    describes: plan, apply, status, wait, results, show (of a key), state-list, or validate.

    An editor with yaml-language-server uses the schema for manifests that begin with
    `# yaml-language-server: $schema=PATH`.
    """
    return schema_text(name)
