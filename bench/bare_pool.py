"""The peer of `apply`: ten threads with a `requests` session each, without error handling.

`python -m bench.bare_pool URL BODIES` posts each line of BODIES.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.measure import TOKEN

WORKERS = 10


def main() -> None:
    url, bodies = sys.argv[1], Path(sys.argv[2]).read_bytes().splitlines()
    local = threading.local()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}

    def post(body: bytes) -> str:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.headers.update(headers)
        answer = session.post(f"{url}/api/preview/agents/acme/tasks", data=body, timeout=120)
        answer.raise_for_status()
        task_id: str = answer.json()["taskId"]
        return task_id

    with ThreadPoolExecutor(WORKERS) as pool:
        made = list(pool.map(post, bodies))
    print(len(made))


if __name__ == "__main__":
    main()
