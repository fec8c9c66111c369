"""Fuzzing without a coverage tool: random edits of corpus files.

`tests/fuzz/TARGET/` is the corpus of a target: one input per file, valid or not. An input that
broke something is kept there under a descriptive name.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

CORPUS = Path(__file__).parents[1] / "fuzz"

ODD = (
    *(b"", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\t", b"\x1b[2J"),
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 400, b"[" * 200, b"{" * 200, b'{"a":' * 60),
    *(b"{}", b"[]", b'""', b'"', b"\\u0000", b"\\ud800", b"\\", b"/", b"..", b"%2e%2e", b"$(id)"),
    *("\u202e\u2028\u0085".encode(), "é".encode("latin-1"), b"::error::", b"<script>", b"-5\r\n"),
)
"""Pieces that have confused parsers."""


def corpus(target: str) -> dict[str, bytes]:
    """The inputs of a target by file name."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target).iterdir())}


def mutant(seeds: list[bytes], random: Random) -> bytes:
    """One of the seeds after one to eight random edits."""
    data = random.choice(seeds)
    for _ in range(random.randint(1, 8)):
        data = _edited(data, seeds, random)
    return data[: 1 << 16]


def _edited(data: bytes, seeds: list[bytes], random: Random) -> bytes:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((0, 1, 2, 8, 64, 512)))
    match random.randrange(6):
        case 0:  # an odd piece
            return data[:start] + random.choice(ODD) + data[end:]
        case 1:  # a bit
            flipped = bytes([data[start] ^ 1 << random.randrange(8)]) if start < len(data) else b""
            return data[:start] + flipped + data[start + 1 :]
        case 2:  # a part is missing
            return data[:start] + data[end:]
        case 3:  # a part comes twice
            return data[:end] + data[start:end] + data[end:]
        case 4:  # a line of another seed, or of the same one
            other = random.choice(seeds).splitlines(keepends=True)
            return data[:start] + (random.choice(other) if other else b"") + data[start:]
    other_seed = random.choice(seeds)
    return data[:start] + other_seed[random.randint(0, len(other_seed)) :]
