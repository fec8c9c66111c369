"""Tests of permissions that also work for root, who can read and write everything."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
_OVERRIDES = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def modes_apply() -> Iterator[None]:
    """Within the block, file modes apply to this thread as they do to a user who is not root."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, held = _Header(_VERSION, 0), (_Set * 2)()
    if libc.capget(ctypes.byref(header), held):
        raise OSError(ctypes.get_errno(), "capget")
    less = (_Set * 2)(*held)
    less[0].effective &= ~_OVERRIDES
    _set(libc, less)
    try:
        yield
    finally:
        _set(libc, held)


def _set(libc: ctypes.CDLL, powers: ctypes.Array[_Set]) -> None:
    if libc.capset(ctypes.byref(_Header(_VERSION, 0)), powers):
        raise OSError(ctypes.get_errno(), "capset")
