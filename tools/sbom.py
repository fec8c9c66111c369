"""The software bill of materials of a release: CycloneDX, only what taskctl needs to run.

It is made from `requirements.txt`, which pins every version with its hashes, and from the metadata
of the installed packages, which say what needs what. It contains no time and no random number, so
the same commit always gives the same bytes.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("encryption", "objects", "postgres")
SPEC_VERSION = "1.6"
_PIN = re.compile(r"^([\w.-]+)==(\S+)(.*?)(?=^[\w.-]+==|\Z)", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


class Pin(NamedTuple):
    """A line of requirements.txt, and the hashes of its files."""

    version: str
    hashes: tuple[str, ...]


def pins(requirements: str) -> dict[str, Pin]:
    """The pinned versions by canonical name."""
    found: dict[str, Pin] = {}
    for name, version, rest in _PIN.findall(requirements):
        found[canonicalize_name(name)] = Pin(version, tuple(_HASH.findall(rest)))
    return found


def needs(name: str, extras: Iterable[str] = ()) -> list[tuple[str, frozenset[str]]]:
    """What an installed package requires, on any platform, each with its extras; nothing for a
    package that is needed only on another platform."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    found: list[tuple[str, frozenset[str]]] = []
    for requirement in map(Requirement, lines):
        marker = str(requirement.marker or "")
        wanted = re.findall(r'extra == "([\w.-]+)"', marker)
        if not wanted or set(wanted) & set(extras):
            found.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def graph(locked: dict[str, Pin], start: list[tuple[str, frozenset[str]]]) -> dict[str, set[str]]:
    """What each reachable pinned package requires directly."""
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
    locked = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    required = needs("taskctl")
    everything = needs("taskctl", EXTRAS)
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
        "scope": "required" if is_required else "optional",
        "externalReferences": [{"type": "distribution", "url": purl, "hashes": hashes}],
    }
