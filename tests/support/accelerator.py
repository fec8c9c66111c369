"""Runs code as if the platform had a wheel of jsonschema-rs, or had none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.manifest import schema


@contextmanager
def is_there(there: bool) -> Iterator[None]:
    """Decides whether jsonschema-rs can be imported within the block."""
    with pytest.MonkeyPatch.context() as patch:
        if not there:
            patch.setitem(sys.modules, "jsonschema_rs", None)
        schema.accelerated_validator.cache_clear()
        assert (schema.accelerated_validator() is not None) is there
        yield
    schema.accelerated_validator.cache_clear()
