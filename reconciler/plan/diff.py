"""Compares inputs field by field, with deepdiff."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.model.canonical import ABSENT
from reconciler.model.fields import COMPARED, DEFAULTS
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import Inputs, text_of
from reconciler.plan.plan import Change, Origin
from reconciler.system import memory

if TYPE_CHECKING:
    from deepdiff.model import DiffLevel

_UNSHOWN = {name: DEFAULTS.get(name, ABSENT) for name in COMPARED}
"""The value of a setting that a response omits."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


def changes(recorded: Inputs, desired: Inputs, remote: RemoteTask | None) -> tuple[Change, ...]:
    """The fields in which a recorded task differs from its manifest, sorted by path. Settings that
    the service returns are compared with `remote`, if given.
    """
    found = {change.path: change for change in _manifest_changes(recorded, desired)}
    if remote is not None:
        for name in COMPARED:
            if name in desired:
                found.pop(name, None)
                if change := _remote_change(name, recorded, desired, remote):
                    found[name] = change
    return tuple(found[path] for path in sorted(found))


def remote_agrees(desired: Inputs, remote: RemoteTask) -> bool:
    """Whether every setting that the service returns has the desired value."""
    shown = remote.raw
    for name in COMPARED:  # faster than a generator that calls `at_service`
        if name in desired and shown.get(name, _UNSHOWN[name]) != desired[name]:
            return False
    return True


def at_service(name: str, remote: RemoteTask) -> object:
    """The remote value of a setting in COMPARED, or its documented default, or ABSENT."""
    return remote.raw.get(name, _UNSHOWN[name])


def _remote_change(
    name: str, recorded: Inputs, desired: Inputs, remote: RemoteTask
) -> Change | None:
    after, before, present = desired[name], recorded.get(name, ABSENT), at_service(name, remote)
    if present is ABSENT:
        present = before
    if present == after:
        return None
    if before == after:
        origin = Origin.REMOTE
    else:
        origin = Origin.MANIFEST if before in (ABSENT, present) else Origin.BOTH
    return Change(name, present, after, origin)


class _WholeTexts:
    """Stops deepdiff from comparing the lines of two texts, which nobody reads and which takes
    hours for some prompts of 1 MiB."""

    def match(self, level: DiffLevel) -> bool:
        return isinstance(level.t1, str) and isinstance(level.t2, str)

    def give_up_diffing(self, level: DiffLevel, diff_instance: Any) -> bool:
        if level.t1 != level.t2:
            diff_instance.custom_report_result("text", level)
        return True


def _manifest_changes(recorded: Inputs, desired: Inputs) -> list[Change]:
    if recorded == desired:
        return []
    desired = _with_recorded_breaks(recorded, desired)
    if recorded == desired:
        return []
    from deepdiff import DeepDiff
    from deepdiff.helper import notpresent

    memory.resume_collection()  # each comparison leaves reference cycles behind
    settings: Any = {"view": "tree", "verbose_level": 2, "custom_operators": [_WholeTexts()]}
    tree = DeepDiff(dict(recorded), dict(desired), **settings)
    found = []
    for level in (level for levels in tree.values() for level in levels):
        before, after = (ABSENT if t is notpresent else t for t in (level.t1, level.t2))
        found.append(Change(_path(level), before, after, Origin.MANIFEST))
    return found


def _with_recorded_breaks(recorded: Inputs, desired: Inputs) -> Inputs:
    """The desired inputs, with the recorded prompt if only its last line breaks differ: parsers and
    editors disagree about that of the last line of a file."""
    before, after = text_of(recorded), text_of(desired)
    if before is None or after is None or before.rstrip("\r\n") != after.rstrip("\r\n"):
        return desired
    return {**desired, "message": {**desired["message"], "content": before}}


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
