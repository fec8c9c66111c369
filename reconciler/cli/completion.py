"""Completion candidates: task keys and files. Errors are ignored, because the user is typing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.app.settings import Settings
from reconciler.manifest.repository import link_out
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.task import TaskRef
from reconciler.system import disk

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


STATES = ("taskctl.state.json", ".taskctl/local.state.json")
MAX_BYTES = 16 * 1024 * 1024  # larger files would take too long


Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[object]]"]
Source = Callable[[click.Context, Settings], Iterator[TaskRef]]


def files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[object]]:
    """Files, which the shell completes itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _completion(*sources: Source, with_files: bool = False) -> Complete:
    """Completes task keys; `ORG/KEY` if there is a slash."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[object]]:
        from reconciler.cli.config import config_of, folder_of

        folder = folder_of(ctx)
        settings = Settings(root=folder)
        with suppress(TaskctlError):
            settings = config_of(ctx).settings(folder)
        refs = [ref for source in sources for ref in source(ctx, settings)]
        # Files come first, because the script for bash drops what precedes them.
        found = files(ctx, param, incomplete) if with_files else []
        return found + _items(refs, incomplete)

    return complete


def _items(refs: Iterable[TaskRef], incomplete: str) -> list[CompletionItem[object]]:
    """The completion items for valid keys only, because a shell inserts them unquoted."""
    from click.shell_completion import CompletionItem

    from reconciler.model.shell import is_key, is_org_name

    known = (
        ref for ref in refs if is_key(ref.key) and (not ref.org_name or is_org_name(ref.org_name))
    )
    names = {str(ref) if TaskRef.has_org(incomplete) else ref.key for ref in known}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _desired(ctx: click.Context, settings: Settings) -> Iterator[TaskRef]:
    """The keys of declared tasks, without entries, whose expansion would take too long."""
    from reconciler.manifest.discovery import Finder
    from reconciler.manifest.document import is_entry
    from reconciler.manifest.parse.source import read_source

    finder = Finder(settings.root)
    finder.find(settings.names(ctx.params.get("paths") or ()) or settings.paths)
    for path in finder.files.values():
        data = read_source(_content(path)).data
        tasks = data.get("tasks") if isinstance(data, dict) else None
        for key, task in tasks.items() if isinstance(tasks, dict) else ():
            if is_entry(task):
                continue
            own = task.get("orgName") if isinstance(task, dict) else None
            yield TaskRef(str(own or data.get("orgName") or ""), key)


def _recorded(ctx: click.Context, settings: Settings) -> Iterator[TaskRef]:
    import json

    given = ctx.params.get("state")
    for name in dict.fromkeys((*(settings.names([given]) if given else ()), *STATES)):
        state: object = None
        with suppress(ValueError, RecursionError):
            place = settings.root / name
            state = json.loads(b"" if link_out(settings.root, name) else _content(place))
        tasks = state.get("tasks") if isinstance(state, dict) else None
        for ref in tasks if isinstance(tasks, dict) else ():
            yield TaskRef.parse(ref)


def _content(path: Path) -> bytes:
    """The content of a file; empty if it is unreadable or too large."""
    try:
        content = disk.read_start(path, MAX_BYTES)
    except OSError:
        return b""
    return content if len(content) <= MAX_BYTES else b""


keys = _completion(_desired, _recorded)
"""Keys of the manifests (also those of a shared state) and of the state files here."""
keys_or_files = _completion(_desired, _recorded, with_files=True)
desired_keys = _completion(_desired)
