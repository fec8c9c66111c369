"""Compares a manifest with the service's data and with the record, using deepdiff."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.model.canonical import ABSENT
from reconciler.model.fields import COMPARED, PATCHED
from reconciler.model.service import RemoteTask
from reconciler.model.task import Inputs, text_of
from reconciler.plan.plan import Change, Origin
from reconciler.state.model import Record

if TYPE_CHECKING:
    from deepdiff.model import DiffLevel

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Differences(NamedTuple):
    """The fields in which a recorded task differs from its manifest, sorted by path. `agreed` are
    the settings in which only the record differs, because the service has the desired value."""

    changes: tuple[Change, ...] = ()
    agreed: tuple[str, ...] = ()


def differences(record: Record, desired: Inputs, remote: RemoteTask | None) -> Differences:
    """Compares the manifest twice: with the current values, and with the record, to determine which
    side changed. The current value of a setting is the service's, or else the record's."""
    recorded = record.inputs
    desired = _with_recorded_breaks(recorded, desired)
    current = current_inputs(recorded, desired, remote, _compared_settings(record))
    now = _compared(current, desired)
    then = now if current == recorded else _compared(recorded, desired)
    changes = (
        Change(path, *now[path], _origin(path, record, now[path], then.get(path)))
        for path in sorted(now)
    )
    return Differences(tuple(changes), tuple(sorted(then.keys() - now.keys())))


def _compared_settings(record: Record) -> tuple[str, ...]:
    """The settings that are compared with the service."""
    return PATCHED if record.is_accepted else COMPARED


def remote_agrees(record: Record, desired: Inputs, remote: RemoteTask) -> bool:
    """Whether every setting that is compared with the service has the desired value there."""
    for name in _compared_settings(record):  # faster than a generator that calls `at_service`
        if name in desired and (present := remote.raw.get(name)) is not None:
            wanted = desired[name]
            if not (present == wanted or is_same_setting(present, wanted)):
                return False
    return True


def at_service(name: str, remote: RemoteTask) -> object:
    """The remote value of a setting; ABSENT if the response lacks it or has null."""
    present = remote.raw.get(name)
    return ABSENT if present is None else present


def is_same_setting(one: object, other: object) -> bool:
    """Whether the service treats two values of a setting as equal. It trims names."""
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    return one == other


def current_inputs(
    recorded: Inputs,
    desired: Inputs,
    remote: RemoteTask | None,
    compared: Iterable[str] = COMPARED,
) -> Inputs:
    """The recorded inputs, with the `compared` settings that the service returns. Settings in
    neither the record nor the manifest are left out."""
    if remote is None:
        return recorded
    current = dict(recorded)
    for name in compared:
        present = at_service(name, remote)
        if present is not ABSENT and (name in recorded or name in desired):
            agrees = name in desired and is_same_setting(present, desired[name])
            current[name] = desired[name] if agrees else present
    return current


def _origin(
    path: str, record: Record, now: tuple[object, object], then: tuple[object, object] | None
) -> Origin:
    """The side that changed a field. `now` is the current value and the desired value, `then` the
    recorded value and the desired value (None: they are equal). A setting that was never set at the
    service has not changed there."""
    if path in record.pending:
        return Origin.MANIFEST
    if then is None:
        return Origin.REMOTE
    return Origin.MANIFEST if then[0] in (ABSENT, now[0]) else Origin.BOTH


class _WholeTexts:
    """Stops deepdiff from comparing the lines of two texts, whose result is not used and takes
    hours for some prompts of 1 MiB."""

    def match(self, level: DiffLevel) -> bool:
        return isinstance(level.t1, str) and isinstance(level.t2, str)

    def give_up_diffing(self, level: DiffLevel, diff_instance: Any) -> bool:
        if level.t1 != level.t2:
            diff_instance.custom_report_result("text", level)
        return True


def _compared(before: Inputs, desired: Inputs) -> dict[str, tuple[object, object]]:
    """Both values of each field that differs, by path."""
    if before == desired:
        return {}
    from deepdiff import DeepDiff
    from deepdiff.helper import notpresent

    tree = DeepDiff(
        dict(before),
        dict(desired),
        view="tree",
        verbose_level=2,
        custom_operators=[_WholeTexts()],
        threshold_to_diff_deeper=0,  # report each field, even if few are equal
    )
    found = {}
    for level in (level for levels in tree.values() for level in levels):
        sides = (ABSENT if side is notpresent else side for side in (level.t1, level.t2))
        found[_path(tuple(level.path(output_format="list")))] = (next(sides), next(sides))
    return found


def _with_recorded_breaks(recorded: Inputs, desired: Inputs) -> Inputs:
    """The desired inputs, with the recorded prompt if only its last line breaks differ: parsers and
    editors disagree about the last line of a file."""
    before, after = text_of(recorded), text_of(desired)
    if before is None or after is None or before.rstrip("\r\n") != after.rstrip("\r\n"):
        return desired
    return {**desired, "message": {**desired["message"], "content": before}}


@lru_cache  # very many tasks can differ in the same fields
def _path(parts: tuple[str | int, ...]) -> str:
    """`message.entity_diff.add[0].name`; other names are quoted: `["a b"]`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
