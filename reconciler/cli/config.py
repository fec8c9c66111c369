"""The configuration file and the directory of a command."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.app.configuration import NO_CONFIG, Config, find_config
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError


def config_of(ctx: click.Context) -> Config:
    """The configuration of a command, read once. Raises TaskctlError if the file is invalid."""
    read = ctx.meta.get(__name__)
    if isinstance(read, Config):
        return read
    try:
        config = find_config(folder_of(ctx))
    except TaskctlError as problem:
        is_refused = problem.diagnostics[0].code is Code.UNTRUSTED_OWNER
        if not (is_refused and ctx.command.name == "init"):  # the suggested fix
            raise
        config = NO_CONFIG
    ctx.meta[__name__] = config
    return config


def folder_of(ctx: click.Context) -> Path:
    """The directory of a command, from `-C` before and after it."""
    parts = [c.params.get("directory") for c in dict.fromkeys((ctx.find_root(), ctx))]
    return Path(*(part for part in parts if part))
