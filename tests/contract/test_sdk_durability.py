"""Creates through Pulumi's own SDK: concurrent ones, and a server that is killed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from tests.support.embedded_sdk import Sdk
from tests.support.embedded_server import running_server, server_process


def there(url: str) -> list[str]:
    pages = Sdk.of(url).pages(page_size=1000, sort_by="created")
    return [task.id for page in pages for task in page]


def test_concurrent_creates_on_two_servers_are_kept(tmp_path: Path) -> None:
    db = tmp_path / "local.db"
    with running_server(db) as one, running_server(db) as two:
        with ThreadPoolExecutor(8) as pool:
            urls = (one, two)
            made = list(pool.map(lambda n: Sdk.of(urls[n % 2]).create(f"Task {n}"), range(120)))
        assert len(set(made)) == 120
        assert sorted(there(one)) == sorted(there(two)) == sorted(made)


def test_an_acknowledged_create_survives_a_kill(tmp_path: Path) -> None:
    db = tmp_path / "local.db"
    answered: list[str] = []
    for round_number in range(1, 4):
        with server_process(db) as (url, process):
            enough = threading.Event()

            def client(
                url: str = url, enough: threading.Event = enough, want: int = 15 * round_number
            ) -> None:
                sdk = Sdk.of(url)
                try:
                    while True:
                        answered.append(sdk.create())
                        if len(answered) >= want:
                            enough.set()
                except (OSError, HTTPException):
                    return

            clients = [threading.Thread(target=client) for _ in range(3)]
            for thread in clients:
                thread.start()
            assert enough.wait()
            process.kill()
            for thread in clients:
                thread.join()
        with running_server(db) as url:
            found = there(url)
        assert set(answered) <= set(found)
        assert len(found) == len(set(found)) <= len(answered) + 3 * round_number
