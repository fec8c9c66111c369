"""Key paths and external values in messages: on one line, shortened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Path

_BARE = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_MAX_NAME = 60
_MAX_STEPS = 12


def shown(path: Path) -> str:
    """A path as text: `tasks.rotate.enabledIntegrations[0].id`."""
    parts: list[str] = []
    for step in path[:_MAX_STEPS]:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif re.fullmatch(_BARE, step) and len(step) <= _MAX_NAME:
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{quoted(step)}]")
    if len(path) > _MAX_STEPS:
        parts.append("…")
    return "".join(parts)


def quoted(text: str) -> str:
    """External text in quotes, on one line and shortened."""
    import json

    short = text if len(text) <= _MAX_NAME else text[: _MAX_NAME - 1] + "…"
    return json.dumps(short, ensure_ascii=False)
