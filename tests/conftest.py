"""Holds for all tests."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background has SIGINT ignored, and so would every process
# that the tests start: no test of interrupting could pass there.
signal.signal(signal.SIGINT, signal.default_int_handler)
