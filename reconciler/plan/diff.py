"""Compares two sets of inputs field by field, with deepdiff."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import memory
from reconciler.model.absent import ABSENT
from reconciler.model.fields import COMPARED, DEFAULTS
from reconciler.model.task import Inputs, RemoteTask
from reconciler.plan.plan import Change, Origin

if TYPE_CHECKING:
    from deepdiff.model import DiffLevel

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


def changes(recorded: Inputs, desired: Inputs, remote: RemoteTask | None) -> tuple[Change, ...]:
    """The fields in which a recorded task differs from its manifest, sorted by path. Settings that
    the service shows are compared with it; without `remote`, only the record and the manifest are.
    """
    found = {change.path: change for change in _manifest_changes(recorded, desired)}
    if remote is not None:
        for name in COMPARED:
            if name in desired and (change := _shown(name, recorded, desired, remote)):
                found[name] = change
            elif name in desired:
                found.pop(name, None)
    return tuple(found[path] for path in sorted(found))


def remote_agrees(desired: Inputs, remote: RemoteTask) -> bool:
    """Whether every setting that the service shows has the desired value."""
    for name in COMPARED:  # a generator takes as long again
        if name in desired and at_service(name, remote) != desired[name]:
            return False
    return True


def at_service(name: str, remote: RemoteTask) -> object:
    """The service's value of one of COMPARED: its documented default if omitted, else ABSENT."""
    return remote.raw.get(name, DEFAULTS.get(name, ABSENT))


def _shown(name: str, recorded: Inputs, desired: Inputs, remote: RemoteTask) -> Change | None:
    wanted, present = desired[name], at_service(name, remote)
    if present is ABSENT:
        present = recorded.get(name, ABSENT)
    if present == wanted:
        return None
    before = recorded.get(name, ABSENT)
    if before == wanted:
        origin = Origin.REMOTE
    else:
        origin = Origin.MANIFEST if before in (ABSENT, present) else Origin.BOTH
    return Change(name, present, wanted, origin)


def _manifest_changes(recorded: Inputs, desired: Inputs) -> list[Change]:
    if recorded == desired:
        return []
    from deepdiff import DeepDiff

    memory.resume_collection()  # each comparison leaves reference cycles
    tree = DeepDiff(_plain(recorded), _plain(desired), view="tree", verbose_level=2)
    return [
        Change(_path(level), _side(level.t1), _side(level.t2), Origin.MANIFEST)
        for levels in tree.values()
        for level in levels
    ]


def _plain(inputs: Inputs) -> dict[str, object]:
    return dict(inputs)


def _side(value: object) -> object:
    from deepdiff.helper import notpresent

    return ABSENT if value is notpresent else value


def _path(level: DiffLevel) -> str:
    """`message.entity_diff.add[0].name`; other names are quoted: `["a b"]`."""
    parts = level.path(output_format="list")
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
