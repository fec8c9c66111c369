"""Fixtures of tests with kills and lost responses."""

from __future__ import annotations

from tests.support.in_process import here
from tests.support.sandbox import server

__all__ = ["here", "server"]
