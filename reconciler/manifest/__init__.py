"""Manifests: YAML text in, desired tasks and diagnostics out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.manifest.loader import Manifests, load

__all__ = ["Manifests", "load"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    # Only when asked for: ruamel.yaml takes longer to import than many a command to run.
    from reconciler.manifest import loader

    return getattr(loader, name)
