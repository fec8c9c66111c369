"""The address of the repository, and of the documentation in it."""

from __future__ import annotations

REPOSITORY = "your-org/taskctl"
"""Its name on GitHub; `your-org` until it is published. `python -m tools.reference` copies it from
`[project.urls]`."""


def documentation(page: str) -> str:
    """The address of a page of docs/; empty as long as the repository has none."""
    if REPOSITORY.startswith("your-org/"):
        return ""
    return f"https://github.com/{REPOSITORY}/blob/main/docs/{page}"
