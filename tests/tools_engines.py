"""Installs servers for the shared state engines and runs tests with all of them.

`python -m tests.tools_engines FOLDER [ARGUMENT...]` installs into FOLDER and runs pytest with the
arguments, or the engines' suite. At the end, it prints a line for each server that it could not
install, and that no test has used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.state_servers import postgres_programs, program

GO = {
    "gofakes3": "github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0",
    "fake-gcs-server": "github.com/fsouza/fake-gcs-server@v1.56.1",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
}
NPM = {"azurite-blob": "azurite@3"}
ON_POSTGRES = "test_a_role_or_a_database_that_does_not_exist"


def _run(words: list[str], **more: str) -> bool:
    done = subprocess.run(words, env={**os.environ, **more}, capture_output=True, check=False)
    return done.returncode == 0


def install(folder: Path) -> list[str]:
    """Installs what is missing; returns a line for each server that could not be installed."""
    left_out = []
    for name, module in GO.items():
        if program(name) is None:
            go = shutil.which("go")
            if go is None or not _run([go, "install", module], GOBIN=str(folder / "bin")):
                left_out.append(f"{name}: go cannot build {module}")
    for name, package in NPM.items():
        if program(name) is None:
            npm = shutil.which("npm")
            words = ["install", "--no-audit", "--no-fund", "--prefix", str(folder), package]
            if npm is None or not _run([npm, *words]):
                left_out.append(f"{name}: npm cannot install {package}")
    for name, is_there in (
        ("postgresql", postgres_programs() is not None),
        ("pgbouncer", program("pgbouncer") is not None),
    ):
        if not is_there:
            left_out.append(f"{name}: not installed")
    return left_out


def engines_suite() -> list[str]:
    suite = [
        "tests/contract/test_engines.py",
        "tests/contract/test_engine_faults.py",
        "tests/acceptance/test_full_state.py",
        "tests/acceptance/test_lost_runner.py",
    ]
    if postgres_programs() is not None:
        suite.append("tests/contract/test_postgres_engine.py")
        suite.append(f"tests/acceptance/test_state_errors.py::{ON_POSTGRES}")
    return [*suite, "--no-cov", "-p", "no:cacheprovider"]


def main() -> int:
    folder = Path(sys.argv[1]).absolute()
    os.environ["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    os.environ["TASKCTL_TEST_NPM"] = str(folder)
    left_out = install(folder)
    arguments = sys.argv[2:] or engines_suite()
    code = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    for line in left_out:
        print(f"NOT RUN   state engine on {line}")
    return code


if __name__ == "__main__":
    sys.exit(main())
