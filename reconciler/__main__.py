"""The entry point of the process: of the command `taskctl`, and of `python -m reconciler`."""

from __future__ import annotations

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line."""
    gc.disable()  # until `memory.resume_collection`; imports leave little that is garbage
    from reconciler.cli.main import run_process

    run_process()


if __name__ == "__main__":
    main()
