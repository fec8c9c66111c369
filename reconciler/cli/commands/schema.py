"""`taskctl schema`: the JSON Schemas that come with taskctl."""

from __future__ import annotations

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "schema",
    examples=[
        ("taskctl schema > manifest.schema.json", "that of manifests, for an editor"),
        ("taskctl schema plan", "that of `taskctl plan --format json`"),
    ],
)
@click.argument(
    "name",
    type=click.Choice(["manifest", "plan", "state"]),
    default="manifest",
    metavar="[manifest|plan|state]",
)
@common_options
def command(name: str, out: Output) -> int:
    """Print a JSON Schema: of manifests, of plans as documents, or of the state file.

    An editor with yaml-language-server uses one for a manifest that begins with
    `# yaml-language-server: $schema=PATH`.
    """
    from reconciler.resources import schema_text

    out.document(schema_text(name))
    return 0
