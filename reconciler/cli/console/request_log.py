"""`--debug`: the requests to the service, on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.cli.console.stderr import write_stderr
from reconciler.render import safe

LOGGER = "taskctl.remote"
"""Its records contain no token, prompt or response: method, path, status, duration, request ID."""


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write_stderr(f"{safe.line(record.getMessage())}\n")


@contextmanager
def request_log() -> Iterator[None]:
    """Prints each request, until the block ends."""
    logger, handler = logging.getLogger(LOGGER), _Handler(logging.INFO)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
