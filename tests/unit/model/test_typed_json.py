"""JSON of values: what the tests of the stored formats do not cover."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from msgspec import defstruct

from reconciler.model.typed_json import decode_as

THREADS = 4


@pytest.fixture
def _many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_many_switches")
def test_threads_may_use_a_codec_for_the_first_time_at_once() -> None:
    """msgspec alone crashes then."""
    data = b'{"part1": {"field1": "x"}}'
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(40):
            kind = nested()
            ready = Barrier(THREADS)

            def decode(_: int, kind: type = kind, ready: Barrier = ready) -> object:
                ready.wait()
                return decode_as(kind, data)

            first, *others = pool.map(decode, range(THREADS))
            assert others == [first] * (THREADS - 1)


def nested() -> type:
    """A new class whose fields are new classes."""
    parts = []
    for number in range(5):
        fields: list[Any] = [(f"field{n}", str | None, None) for n in range(8)]
        part = defstruct(f"Part{number}", fields)
        parts.append((f"part{number}", part | None, None))
    return defstruct("Whole", parts)
