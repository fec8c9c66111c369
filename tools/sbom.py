"""The software bill of materials of a release: CycloneDX, only what taskctl needs to run.

It is made from the requirements files, which pin every version with its hashes, and from the
metadata of the installed packages, which say what needs what, and under which licence. It contains
no time and no random number, so the same commit always gives the same bytes.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("objects", "postgresql")
LOCKED = ("requirements.txt", "requirements-postgresql.txt")
SPEC_VERSION = "1.6"
Need = tuple[str, frozenset[str]]
"""The canonical name of a package, and its extras."""

_PIN = re.compile(r"^([\w.-]+)==(\S+)(.*?)(?=^[\w.-]+==|\Z)", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


class Pin(NamedTuple):
    """A line of requirements.txt, and the hashes of its files."""

    version: str
    hashes: tuple[str, ...]


def pins(*files: str) -> dict[str, Pin]:
    """The versions that these files of the repository pin, by canonical name."""
    found: dict[str, Pin] = {}
    for file in files:
        for name, version, rest in _PIN.findall((ROOT / file).read_text(encoding="utf-8")):
            found[canonicalize_name(name)] = Pin(version, tuple(_HASH.findall(rest)))
    return found


def own_needs(extras: Iterable[str] = ()) -> list[Need]:
    """The requirements of taskctl with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    more = (line for extra in extras for line in project["optional-dependencies"][extra])
    return [_need(Requirement(line)) for line in (*project["dependencies"], *more)]


def needs(name: str, extras: Iterable[str] = ()) -> list[Need]:
    """The requirements of an installed package on any platform, with their extras; nothing for a
    package that is needed only on another platform."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    found: list[Need] = []
    for requirement in map(Requirement, lines):
        marker = str(requirement.marker or "")
        wanted = re.findall(r'extra == "([\w.-]+)"', marker)
        if not wanted or set(wanted) & set(extras):
            found.append(_need(requirement))
    return found


def _need(requirement: Requirement) -> Need:
    return canonicalize_name(requirement.name), frozenset(requirement.extras)


def _licence(name: str) -> dict[str, Any]:
    """The licence of an installed package: its SPDX expression, or else the words of its authors."""
    about = metadata.metadata(name)
    if "License-Expression" in about:
        return {"expression": about["License-Expression"]}
    classifiers = about.get_all("Classifier") or ()
    named = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")]
    return {"license": {"name": " and ".join(named) or about["License"]}}


def graph(locked: dict[str, Pin], start: list[Need]) -> dict[str, set[str]]:
    """The direct requirements of each reachable pinned package."""
    found: dict[str, set[str]] = {}
    waiting, seen = list(start), set(start)
    while waiting:
        name, extras = waiting.pop()
        if name not in locked:
            continue
        more = [need for need in needs(name, extras) if need[0] in locked]
        found.setdefault(name, set()).update(need for need, _ in more)
        waiting += [need for need in more if need not in seen]
        seen |= set(more)
    return found


def sbom(version: str) -> bytes:
    """The document for a version of taskctl."""
    locked = pins(*LOCKED)
    required, everything = own_needs(), own_needs(EXTRAS)
    always, depends = graph(locked, required), graph(locked, everything)
    reference = f"pkg:pypi/taskctl@{version}"
    purl = {name: f"pkg:pypi/{name}@{locked[name].version}" for name in depends}
    components = [
        _component(n, purl[n], locked[n], is_required=n in always) for n in sorted(depends)
    ]
    direct = {name for name, _ in everything if name in depends}
    edges = {reference: direct} | {purl[name]: depends[name] for name in sorted(depends)}
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": reference,
                "name": "taskctl",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": reference,
            }
        },
        "components": components,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(purl[name] for name in names)}
            for ref, names in edges.items()
        ],
    }
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def _component(name: str, purl: str, pin: Pin, *, is_required: bool) -> dict[str, Any]:
    """A package; the hashes are those of its files for all platforms."""
    hashes = [{"alg": "SHA-256", "content": value} for value in pin.hashes]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": pin.version,
        "purl": purl,
        "licenses": [_licence(name)],
        "scope": "required" if is_required else "optional",
        "externalReferences": [{"type": "distribution", "url": purl, "hashes": hashes}],
    }
