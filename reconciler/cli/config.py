"""The configuration file and the directory of a command."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.app.configuration import Config, find_config


def config_of(ctx: click.Context) -> Config:
    """The configuration of a command, read once. TaskctlError for an invalid file."""
    known = ctx.meta.get(__name__)
    if isinstance(known, Config):
        return known
    found = ctx.meta[__name__] = find_config(folder_of(ctx))
    return found


def folder_of(ctx: click.Context) -> Path:
    """The directory of a command, from `-C` before and after it."""
    parts = [c.params.get("directory") for c in dict.fromkeys((ctx.find_root(), ctx))]
    return Path(*(part for part in parts if part))
