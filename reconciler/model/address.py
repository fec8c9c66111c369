"""The addresses of taskctl's repository and of its documentation."""

from __future__ import annotations

REPOSITORY = "your-org/taskctl"
"""The repository's name on GitHub; its owner is `your-org` until it is published. `python -m
tools.reference` copies the name from `[project.urls]`."""


def documentation(page: str) -> str:
    """The address of a page of docs/; empty until the repository is published."""
    if REPOSITORY.startswith("your-org/"):
        return ""
    return f"https://github.com/{REPOSITORY}/blob/main/docs/{page}"
