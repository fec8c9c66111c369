"""A program with one of each operation that `crash_points` counts, and some that it does not."""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def touch_everything(folder: str) -> None:
    home = Path(folder)
    home.mkdir()
    fd = os.open(home / "first", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"0123456789")
    os.fsync(fd)
    os.ftruncate(fd, 5)
    os.close(fd)
    (home / "second").write_text("text")
    with (home / "third").open("wb") as third:
        third.write(b"by")
        third.flush()
        third.write(b"tes")
    with (home / "third").open("a") as third_again:
        third_again.write("more")
    (home / "second").replace(home / "fourth")
    (home / "fourth").rename(home / "fifth")
    os.link(home / "fifth", home / "sixth")
    os.truncate(home / "third", 1)
    (home / "first").read_bytes()
    reading, writing = os.pipe()
    os.write(writing, b"no file")
    os.close(reading)
    os.close(writing)
    for name in ("first", "third", "fifth", "sixth"):
        (home / name).unlink()
    home.rmdir()
    print("done", flush=True)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print("got it", file=sys.stderr, flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


def ask() -> None:
    """Sends one GET to a server in this process."""
    import requests

    server = HTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    requests.get(f"http://127.0.0.1:{server.server_port}/")
    print("answered", flush=True)
    server.shutdown()
    server.server_close()
