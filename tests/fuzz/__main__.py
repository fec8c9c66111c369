"""Fuzzes the targets with coverage guidance: `python -m tests.fuzz SECONDS [TARGET...]`.

Each target runs in a separate process, for an equal part of the time. New inputs go to
`.cache/fuzz/TARGET/`, from where the next run continues; what breaks a target is written there as
`crash-...`, `timeout-...` or `oom-...`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "fuzz"
CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 1 << 16
SLOW_SECONDS = 25
"""Far more than any input of MAX_BYTES may take, even on a busy machine."""


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--here"]:
        return fuzz(arguments[1], arguments[2:])
    names = arguments[1:] or sorted(path.name for path in CORPUS.iterdir())
    seconds = max(1, int(arguments[0]) // len(names))
    return max([run(name, seconds) for name in names])


def run(name: str, seconds: int) -> int:
    """Fuzzes one target in a separate process and prints a line about it; 1 if it broke."""
    found = CACHE / name
    found.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--here", name]
    with (found / "log").open("w+", errors="replace") as log:
        code = subprocess.run(
            [*command, f"-max_total_time={seconds}"], cwd=ROOT, stdout=log, stderr=log, check=False
        ).returncode
        log.seek(0)
        lines = log.read().splitlines()
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)$", "\n".join(lines), re.MULTILINE))
    count = stats.get("number_of_executed_units", "?")
    print(f"{name:9} {count:>9} inputs, {'ok' if code == 0 else 'BROKEN'}", flush=True)
    if code:
        print("\n".join(lines[-40:]), f"\nlog: {found.relative_to(ROOT)}/log", flush=True)
    return 1 if code else 0


def fuzz(name: str, options: list[str]) -> NoReturn:
    """Fuzzes a target in this process, which then ends."""
    import atheris

    with atheris.instrument_imports(include=["reconciler"]):
        from tests.fuzz.targets import TARGETS, corpus

        opened = TARGETS[name](Path(tempfile.mkdtemp(prefix="taskctl-fuzz-")))
        check = opened.__enter__()  # the process ends inside of atheris
        for content in corpus(name).values():
            check(content)  # instruments what is only imported when it is needed

    def test_one_input(data: bytes) -> None:
        check(data)

    found = f"{CACHE / name}{os.sep}"
    limits = [f"-max_len={MAX_BYTES}", f"-timeout={SLOW_SECONDS}", "-rss_limit_mb=2048"]
    dictionary = f"-dict={CORPUS.parent / 'dictionary.txt'}"
    outputs = [f"-artifact_prefix={found}", "-print_final_stats=1"]
    folders = [found, str(CORPUS / name)]
    atheris.Setup([sys.argv[0], dictionary, *limits, *outputs, *options, *folders], test_one_input)
    atheris.Fuzz()
    raise AssertionError("atheris ends the process")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
