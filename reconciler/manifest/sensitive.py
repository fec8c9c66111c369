"""What a diagnostic may show of a file with sensitive tasks: no line of theirs, no stray name.

Whole tasks are left out, not messages alone: in a file with a slip in its indentation, or with
another error, a line of a prompt may stand anywhere in its task.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from reconciler.manifest.parse.source import Source
from reconciler.manifest.parse.spans import locate
from reconciler.manifest.problem import Problem

_BELOW_TASK = 2


def unnamed(problem: Problem, keys: Collection[str]) -> Problem:
    """A problem of one of the tasks `keys` without the unknown name that it is about."""
    path = problem.path
    below = len(path) > _BELOW_TASK and path[0] == "tasks" and path[1] in keys
    if below and problem.on_key and problem.shown_path is None:
        return problem._replace(shown_path=path[:-1])
    return problem


def concealed(body: bytes, source: Source, keys: Collection[str], *, whole: bool) -> bytes:
    """The text with stars in place of the tasks `keys`.

    Of a file that was not read to its end (`whole`) no task is known: then all of it goes, where
    it only might have such a task.
    """
    if not whole and b"sensitive" in body:
        return _starred(body.decode("utf-8", "replace")).encode()
    if not keys:
        return body
    lines = re.split("(?<=\n)|(?<=\r)(?!\n)", body.decode("utf-8", "replace"))
    for spot in locate(source.events(), [("tasks", key) for key in keys]).values():
        for number in range(spot.line, min(spot.last_line, len(lines)) + 1):
            begin = spot.column - 1 if number == spot.line else 0
            line = lines[number - 1]
            lines[number - 1] = line[:begin] + _starred(line[begin:])
    return "".join(lines).encode()


def _starred(text: str) -> str:
    return re.sub(r"[^\r\n]", "*", text)
