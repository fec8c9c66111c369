"""Server-Sent Events from bytes that come cut anywhere."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.remote import sse
from reconciler.remote.sse import Frame, FrameReader, FrameTooLargeError

STREAM = (
    b"retry: 1000\n\n: heartbeat\n\nid: a\ndata: one\n\n"
    b"data: two\r\ndata: lines\r\n\r\nid:b\rdata:three\r\revent: x\nid: c\n\ndata: broken off"
)
FRAMES = [Frame("a", "one"), Frame(None, "two\nlines"), Frame("b", "three")]


@given(st.lists(st.integers(0, len(STREAM))))
def test_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    reader = FrameReader()
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(places)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == FRAMES


def test_a_frame_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_FRAME", 100)
    reader = FrameReader()
    for _ in range(30):
        list(reader.feed(b"data: 1\n\n"))
    with pytest.raises(FrameTooLargeError):
        list(reader.feed(b"data: 1\n" * 30))


@given(st.binary())
def test_any_bytes(stream: bytes) -> None:
    list(FrameReader().feed(stream))
