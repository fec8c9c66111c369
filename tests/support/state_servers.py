"""Real servers for shared state engines, on loopback: each that this machine can run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.git_server import bare_repository, git, git_server

S3_KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def gofakes3() -> str | None:
    """The S3 server's program, where Go has installed it."""
    folders = [os.environ.get("GOBIN", ""), str(Path.home() / "go/bin")]
    return shutil.which("gofakes3") or shutil.which("gofakes3", path=os.pathsep.join(folders))


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's server programs, where Debian or others put them."""
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(found).resolve().parent] if found else []
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def _process(words: list[str], is_up: Callable[[], bool], **more: object) -> Iterator[None]:
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    try:
        while not is_up():
            assert process.poll() is None, f"{words[0]} ended with {process.returncode}"
        yield
    finally:
        process.terminate()
        process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def s3_server(program: str, bucket: str = "states") -> Iterator[str]:
    """An S3 server with one bucket; gives the endpoint."""
    port = free_port()
    words = [program, "-host", f"127.0.0.1:{port}", "-backend", "memory", "-initialbucket", bucket]
    with _process(words, lambda: _accepts(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def postgres_server(programs: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL server over TCP with trust for everybody; gives `postgresql://...` of it."""
    data, port = folder / "postgres", free_port()
    data.mkdir(parents=True)
    as_other: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = 65534
        os.chown(data, nobody, nobody)
        for parent in data.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o055)
        as_other = {"user": nobody, "group": nobody, "extra_groups": []}
    made = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "taskctl", "-N"]
    subprocess.run(made, check=True, capture_output=True, **as_other)  # type: ignore[call-overload]
    words = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data)]
    words += ["-h", "127.0.0.1", "-c", "fsync=off"]

    def is_up() -> bool:
        asked = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        return subprocess.run(asked, check=False).returncode == 0

    with _process(words, is_up, **as_other):
        yield f"postgresql://taskctl@127.0.0.1:{port}/postgres"


@contextmanager
def git_remote(folder: Path) -> Iterator[Callable[[str], Path]]:
    """A remote over smart HTTP; gives what makes a fresh clone of it, by name, with depth 1."""
    with ExitStack() as stack:
        bare_repository(folder, "team")
        base = stack.enter_context(git_server(folder))

        def clone(name: str) -> Path:
            work = folder / name
            git(folder, "clone", "-q", "--depth", "1", f"{base}/team.git", str(work))
            return work

        yield clone
