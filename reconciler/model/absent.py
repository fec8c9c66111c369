"""The value of an absent field, where null has another meaning."""

from __future__ import annotations


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: object = _Absent()
