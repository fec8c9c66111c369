"""Commands that are suggested to a person, ready to paste into a shell: the only place that makes
them."""

from __future__ import annotations

import re
import shlex

_KEY = re.compile(r"[a-z0-9][a-z0-9._@-]{0,127}")
_ORG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
PLACEHOLDER = "..."


def command_line(*words: str) -> str:
    """`taskctl WORDS`, each word quoted for a POSIX shell if necessary."""
    return " ".join(["taskctl", *map(shell_word, words)])


def shell_word(text: str) -> str:
    """A word, quoted if necessary. A text with characters that a terminal does not show as they
    are, or that would break the line, becomes a placeholder: nobody could see what they paste."""
    return shlex.quote(text) if text.isprintable() else PLACEHOLDER


def is_key(text: str) -> bool:
    """Whether a text can be a task key (contract, section 2)."""
    return _KEY.fullmatch(text) is not None


def is_org_name(text: str) -> bool:
    """Whether a text can be the name of an organization."""
    return _ORG.fullmatch(text) is not None


def is_task_id(text: str) -> bool:
    """Whether a text can be an ID of the service."""
    return _ID.fullmatch(text) is not None
