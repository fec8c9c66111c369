"""Looks up known vulnerabilities of all pinned packages: `python -m tools.audit` (`make audit`).

First at the package index. What it does not know, because it has no JSON interface or is a mirror,
is looked up at OSV. A package that neither could check is listed, and fails the audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("pypi", "osv")


def main(program: Sequence[str] = (str(Path(sys.executable).with_name("pip-audit")),)) -> int:
    left = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    count, vulnerable, reasons = len(left), list[str](), list[str]()
    for service in SERVICES:
        found, reason = _audited(program, service, left)
        checked = {each["name"] for each in found if "vulns" in each}
        vulnerable += [line for each in found for line in _vulnerabilities(each)]
        left = [pin for pin in left if _name(pin) not in checked]
        reasons += [f"  {service}: {reason}"] if left else []
        if not left:
            break
    print(f"{count - len(left)} of {count} packages checked, {len(vulnerable)} vulnerabilities")
    print(*vulnerable, sep="\n", end="\n" if vulnerable else "")
    if left:
        print(f"not checked: {' '.join(left)}", *reasons, sep="\n")
    return 1 if vulnerable or left else 0


def _audited(
    program: Sequence[str], service: str, pins: Iterable[str]
) -> tuple[list[dict[str, Any]], str]:
    """The findings of pip-audit for each package, and the reason why it does not know some, on a
    line."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(pins))
        file.flush()
        words = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
        words += ["--vulnerability-service", service, "--requirement", file.name]
        ended = subprocess.run([*program, *words], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (ended.stderr.strip().splitlines() or ["no output"])[-1][:200]
    return found, next((each["skip_reason"] for each in found if "skip_reason" in each), "")


def _vulnerabilities(package: dict[str, Any]) -> list[str]:
    about = f"  {package['name']} {package.get('version', '')}"
    return [f"{about}: {each['id']}" for each in package.get("vulns", ())]


def _name(pin: str) -> str:
    return pin.partition("==")[0].lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main())
