"""Key paths and external values in messages: on one line, shortened."""

from __future__ import annotations

import re

from reconciler.model.diagnostics import Path

_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LONGEST_NAME = 60
_LONGEST_PATH = 12


def shown(path: Path) -> str:
    """A path as text: `tasks.rotate.enabledIntegrations[0].id`."""
    parts: list[str] = []
    for step in path[:_LONGEST_PATH]:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _BARE.fullmatch(step) and len(step) <= _LONGEST_NAME:
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{quoted(step)}]")
    if len(path) > _LONGEST_PATH:
        parts.append("…")
    return "".join(parts)


def quoted(text: str) -> str:
    """External text in quotes, on one line and shortened."""
    import json

    short = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
    return json.dumps(short, ensure_ascii=False)
