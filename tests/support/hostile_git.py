"""States in git that somebody else wrote: large objects in a bare repository, and a host that sends
one."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.support.git_server import git
from tests.support.loopback import serving_on_loopback


def large_object(bare: Path, mebibytes: int) -> str:
    """The ID of a blob of zeros, which is small when it is packed."""
    script = f"head -c {mebibytes}M /dev/zero | git hash-object -w --stdin"
    done = subprocess.run(["sh", "-c", script], cwd=bare, capture_output=True, check=True)
    return done.stdout.decode().strip()


def write_ref(bare: Path, entries: Mapping[str, str]) -> None:
    listing = "".join(f"100644 blob {i}\t{name}\0" for name, i in sorted(entries.items()))
    made = subprocess.run(
        ["git", "mktree", "-z"], input=listing.encode(), cwd=bare, capture_output=True, check=True
    )
    commit = git(bare, "commit-tree", "-m", "x", made.stdout.decode().strip()).strip()
    git(bare, "update-ref", "refs/taskctl/state/x", commit)


@contextmanager
def hostile_host(size: int) -> Iterator[str]:
    """Answers every fetch with a tree of zeros, which is packed to a thousandth of its size."""
    tree = hashlib.sha1(b"tree %d\0" % size + bytes(size)).hexdigest()
    text = f"tree {tree}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n".encode()
    objects = b"PACK" + struct.pack(">II", 2, 2) + _packed(1, text) + _packed(2, bytes(size))
    commit = hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()
    pack = objects + hashlib.sha1(objects).digest()
    ref = f"{commit} refs/taskctl/state/x\0allow-any-sha1-in-want shallow\n"
    announced = "001e# service=git-upload-pack\n0000" + f"{len(ref) + 4:04x}{ref}0000"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer("advertisement", announced.encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer("result", b"0008NAK\n" + pack)

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving_on_loopback(Handler) as port:
        yield f"http://127.0.0.1:{port}/x.git"


def _packed(kind: int, data: bytes) -> bytes:
    """An object in a pack: https://git-scm.com/docs/pack-format."""
    size, head = len(data) >> 4, [kind << 4 | len(data) & 15]
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + zlib.compress(data, 1)
