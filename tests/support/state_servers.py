"""Real servers for shared state engines on loopback, as far as this machine can run them."""

from __future__ import annotations

import base64
import hmac
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.git_server import bare_repository, git_server
from tests.support.google_objects import translator

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


def program(name: str) -> str | None:
    """The path of a server's program: on PATH, in the folder of Go, or in the npm folder that `make
    test-tools` sets."""
    npm = os.environ.get("TASKCTL_TEST_NPM", "")
    places = [os.environ.get("GOBIN", ""), str(Path.home() / "go/bin"), f"{npm}/node_modules/.bin"]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


def postgres_programs() -> Path | None:
    """The folder of the server programs of PostgreSQL."""
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
            time.sleep(0.02)
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
    """Runs an S3 server with one bucket; gives the endpoint."""
    port = free_port()
    words = [program, "-host", f"127.0.0.1:{port}", "-backend", "memory", "-initialbucket", bucket]
    with _process(words, lambda: _accepts(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def other_user() -> Iterator[tuple[Path, dict[str, object]]]:
    """A folder owned by a user who is not root, and how to start a process as that user: PostgreSQL
    rejects to run as root. It is not in pytest's folder, which only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="taskctl-server-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder, {}
            return
        nobody = 65534
        os.chown(folder, nobody, nobody)
        yield folder, {"user": nobody, "group": nobody, "extra_groups": []}


@contextmanager
def postgres_server(programs: Path) -> Iterator[str]:
    """Runs PostgreSQL over TCP, trusting every user; gives its `postgresql://...` address."""
    with other_user() as (folder, as_other):
        data, port = folder / "data", free_port()
        made = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "taskctl", "-N"]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **as_other)  # type: ignore[call-overload]
        words = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
        words += ["-h", "127.0.0.1", "-c", "fsync=off"]

        def is_up() -> bool:
            asked = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
            return subprocess.run(asked, check=False).returncode == 0

        with _process(words, is_up, cwd=folder, **as_other):
            yield f"postgresql://taskctl@127.0.0.1:{port}/postgres"


@contextmanager
def git_remote(folder: Path) -> Iterator[str]:
    """Serves a remote over smart HTTP; gives its address."""
    bare_repository(folder, "team")
    with git_server(folder) as base:
        yield f"{base}/team.git"


@contextmanager
def google_server(program: str, bucket: str = "states") -> Iterator[str]:
    """Runs a Google Cloud Storage server with one bucket; gives the endpoint."""
    port = free_port()
    words = [program, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
    with _process([*words, "-port", str(port)], lambda: _accepts(port)):
        made = urllib.request.Request(
            f"http://127.0.0.1:{port}/storage/v1/b?project=tests",
            data=json.dumps({"name": bucket}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(made), translator(port) as before:
            yield f"http://127.0.0.1:{before}"


@contextmanager
def versity_server(program: str, folder: Path, bucket: str = "states") -> Iterator[str]:
    """Runs another S3 server, which stores files; gives the endpoint."""
    root, port = folder / "versity", free_port()
    (root / bucket).mkdir(parents=True)
    sidecar = folder / "metadata"
    sidecar.mkdir()
    words = [program, "--port", f"127.0.0.1:{port}", "--access", S3_KEYS["AWS_ACCESS_KEY_ID"]]
    words += ["--secret", S3_KEYS["AWS_SECRET_ACCESS_KEY"], "posix", "--sidecar", str(sidecar)]
    with _process([*words, str(root)], lambda: _accepts(port)):
        yield f"http://127.0.0.1:{port}"


AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The account that every Azurite has; its key is public."""


@contextmanager
def azure_server(program: str, folder: Path, container: str = "states") -> Iterator[str]:
    """Runs an Azure Blob server with one container; gives the endpoint of its account."""
    port = free_port()
    words = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    words += ["--location", str(folder / "azurite"), "--skipApiVersionCheck"]
    with _process(words, lambda: _accepts(port)):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        _create_container(endpoint, container)
        yield endpoint


def _create_container(endpoint: str, container: str) -> None:
    """Sends a request that is signed for Azure's shared key scheme."""
    date = formatdate(usegmt=True)
    fields = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    path = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{container}\nrestype:container"
    lines = ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in fields.items()), path]
    signed = hmac.digest(base64.b64decode(AZURE_KEY), "\n".join(lines).encode(), "sha256")
    token = base64.b64encode(signed).decode()
    headers = {**fields, "Authorization": f"SharedKey {AZURE_ACCOUNT}:{token}"}
    address = f"{endpoint}/{container}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers, method="PUT")):
        pass


@contextmanager
def pooled_server(pgbouncer: str, programs: Path) -> Iterator[str]:
    """PostgreSQL behind pgbouncer in transaction mode: each statement may use another session."""
    with postgres_server(programs) as direct, other_user() as (folder, as_other):
        server = urlsplit(direct)
        port, settings = free_port(), folder / "pgbouncer.ini"
        settings.write_text(
            "[databases]\n"
            f"postgres = host=127.0.0.1 port={server.port} dbname=postgres user=taskctl\n"
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_type = any\npool_mode = transaction\n"
            f"listen_port = {port}\nunix_socket_dir =\ndefault_pool_size = 3\n"
            "ignore_startup_parameters = extra_float_digits\n"
        )
        settings.chmod(0o644)
        with _process([pgbouncer, "-q", str(settings)], lambda: _accepts(port), **as_other):
            yield f"postgresql://taskctl@127.0.0.1:{port}/postgres"
