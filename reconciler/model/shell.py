"""The words of suggested commands, ready to paste into a shell.

A key, ID, organization, address or path may come from an untrusted state, saved plan or service. A
value of invalid form never becomes part of a command, not even quoted: a placeholder such as `KEY`
replaces it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(@[A-Za-z0-9][A-Za-z0-9._/-]*){0,2}")
MAX_KEY = 128
"""The maximum length of a key, as in schemas/manifest.schema.json."""

_ORG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?")
_FILE = re.compile(r"(?!-)[\w ./\\:@%+=,~#()-]+")
_ADDRESS = re.compile(r"(?:git:|[a-z0-9]+://)[\w./:@%+=,~#?&\[\]-]+")
PLACEHOLDER = "..."


def command_line(*words: str) -> str:
    """`taskctl WORDS`, each word quoted for a POSIX shell if necessary."""
    return " ".join(["taskctl", *map(shell_word, words)])


def shell_word(text: str) -> str:
    """A word that a user typed, quoted if necessary. A text with invisible characters or line
    breaks becomes a placeholder: users could not see what they paste."""
    return shlex.quote(text) if text.isprintable() else PLACEHOLDER


def is_key(text: str) -> bool:
    """Whether a text can be a task key, written or generated."""
    return len(text) <= MAX_KEY and _KEY.fullmatch(text) is not None


def is_org_name(text: str) -> bool:
    """Whether a text can be the name of an organization."""
    return _ORG.fullmatch(text) is not None


def is_task_id(text: str) -> bool:
    """Whether a text can be the ID of a task at the service."""
    return _ID.fullmatch(text) is not None


def key_word(text: str) -> str:
    """`KEY` or `ORG/KEY` as a word."""
    org, _, key = text.partition("/")
    return text if is_key(text) or (is_org_name(org) and is_key(key)) else "KEY"


def _glob_word(text: str) -> str:
    """`*`, `ORG/*`, `ORG/ENTRY@*` or `ORG/KEY` as a word."""
    org, _, key = text.partition("/")
    is_glob = is_org_name(org) and (key == "*" or is_key(key.removesuffix("@*")))
    return shlex.quote(text) if is_glob or text == "*" else "GLOB"


def id_word(text: str) -> str:
    """`ID` or `ORG/ID` as a word."""
    org, slash, task_id = text.rpartition("/")
    return text if is_task_id(task_id) and (not slash or is_org_name(org)) else "ID"


def file_word(text: str) -> str:
    """A path as a word."""
    return shlex.quote(text) if _FILE.fullmatch(text) and text.isprintable() else "FILE"


def _address_word(text: str) -> str:
    """The address of a shared state, or the path of a file."""
    return shlex.quote(text) if _ADDRESS.fullmatch(text) else file_word(text)


def _request_word(text: str) -> str:
    """`KEY=ID`, `KEY` or a glob, as `--replace` takes it."""
    if text.endswith("*"):
        return _glob_word(text)
    key, equals, task_id = text.partition("=")
    return key_word(key) + equals + (id_word(task_id) if equals else "")


WORDS: Mapping[str, Callable[[str], str]] = {
    "key": key_word,
    "glob": _glob_word,
    "org": lambda text: text if is_org_name(text) else "ORG",
    "id": id_word,
    "file": file_word,
    "url": lambda text: text if _URL.fullmatch(text) else "URL",
    "address": _address_word,
    "request": _request_word,
    "number": lambda text: text if text.isascii() and text.isdecimal() else "N",
    "sh": shell_word,
}
"""Each kind of value, and the function that turns it into a word."""
