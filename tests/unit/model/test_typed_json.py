"""JSON codecs of dataclasses: what the tests of the stored formats do not cover."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import make_dataclass
from threading import Barrier
from typing import Any

import pytest

from reconciler.model.typed_json import Codec

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
    data = {"part1": {"field1": "x"}}
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(40):
            codec: Codec[Any] = Codec(nested())
            ready = Barrier(THREADS)

            def convert(_: int, codec: Codec[Any] = codec, ready: Barrier = ready) -> object:
                ready.wait()
                return codec.convert(data)

            first, *others = pool.map(convert, range(THREADS))
            assert others == [first] * (THREADS - 1)


def nested() -> type:
    """A new class whose fields are new classes."""
    parts = []
    for number in range(5):
        fields: list[Any] = [(f"field{n}", str | None, None) for n in range(8)]
        part = make_dataclass(f"Part{number}", fields, frozen=True)
        parts.append((f"part{number}", part | None, None))
    return make_dataclass("Whole", parts, frozen=True)
