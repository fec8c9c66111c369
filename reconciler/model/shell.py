"""Commands that are suggested to a person, ready to paste into a shell."""

from __future__ import annotations

import re
import shlex

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_ORG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


def command_line(*words: str) -> str:
    """`taskctl WORDS`, each word quoted for a POSIX shell where it has to be."""
    return shlex.join(["taskctl", *words])


def is_key(text: str) -> bool:
    """Whether a text can be a task key (contract, section 2)."""
    return _KEY.fullmatch(text) is not None


def is_org_name(text: str) -> bool:
    return _ORG.fullmatch(text) is not None


def is_task_id(text: str) -> bool:
    """Whether a text can be the ID of a task: only such IDs become part of a command."""
    return _ID.fullmatch(text) is not None
