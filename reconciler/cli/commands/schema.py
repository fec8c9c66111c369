"""`taskctl schema`: prints the JSON Schemas of taskctl."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument

NAMES = ["manifest", "plan", "state"]


@make_command(
    "schema",
    argument("name", "[manifest|plan|state]", type=click.Choice(NAMES), default="manifest"),
    examples=[
        ("taskctl schema > manifest.schema.json", "the schema of manifests, for an editor"),
        ("taskctl schema plan", "the schema of `taskctl plan --format json`"),
    ],
)
def command(call: Call, name: str) -> int:
    """Print a JSON Schema: of manifests, of plan documents, or of the state file.

    An editor with yaml-language-server uses it for a manifest that begins with
    `# yaml-language-server: $schema=PATH`.
    """
    from reconciler.resources import schema_text

    call.out.document(schema_text(name))
    return 0
