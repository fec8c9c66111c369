"""Writes what this version stores to `tests/compat/VERSION/`: `python -m tests.compat`.

Every later version must read these files, or clearly reject them (`test_compat.py`). Until its
release, run this after every change of a format; from then on, the directory never changes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reconciler import __version__
from reconciler.model.value import replace
from reconciler.state.attempt import Author, ChangeKind, RecordChange
from reconciler.state.codec import VERSION, encode_event, encode_state
from reconciler.state.journal import Header, Journal, Replay
from reconciler.state.ledger import fold
from reconciler.state.local import content_of
from reconciler.state.model import Attempted, Event, Ran, Recorded
from reconciler.state.store import Head, encode_head, encode_segment
from tests.compat.reading import MANIFEST, PLAN, SHARED, STATE, facts, local_environment
from tests.support.state_files import HEADER
from tests.support.state_samples import BACKEND, LINEAGE, NOON, attempt, empty, history, record

DEFAULT_STATE = ".taskctl/local.state.json"
"""That of the embedded service."""
HERE = Path(__file__).parent
SERIAL = 7
FILES = {
    MANIFEST: """\
# What manifests of this version may contain.
version: 1
orgName: acme
maxCreates: 50
defaults:
  permissionMode: read-only
tasks:
  plain: {message: Review the IAM policies.}
  full:
    message:
      content: Upgrade the providers.
      entity_diff: {add: [{type: stack, project: iam, name: prod}]}
    name: Upgrade
    isShared: true
    approvalMode: balanced
    planMode: true
    enabledIntegrations: [{id: datadog}]
    cliIntegrations: [{catalogId: aws, name: prod}]
    permissionMode: default
    toolExecutionMode: cloud
    source: api
    role: role-1
    agentDefinitionId: agent-1
    orgName: other-org
  from-file:
    message: {contentFile: prompt.md}
  upgrade:
    forEach:
      repo: {file: repositories.csv}
      stage: [dev, prod]
    rollout: {pilot: 1, atOnce: 3, stopAfter: 2}
    message: Upgrade {{ repo.name }} in {{ stage }}.
""",
    "prompt.md": "Rotate the keys.\n",
    "repositories.csv": "name,cloud\nnetwork,aws\niam,gcp\n",
}


RUN = Author(NOON, "acme-bot", "anna", "https://github.com/acme/infra/actions/runs/7")
ATTEMPTED = Attempted(replace(attempt(5), run=RUN.name))
RECORDED = Recorded(replace(record(5), changes=(ATTEMPTED.attempt.created(),)))


def _events() -> list[Event]:
    """The events in the saved state."""
    created = ATTEMPTED.attempt.created()
    accepted = RecordChange(ChangeKind.ACCEPTED.value, RUN.name)
    changed = replace(record(2), changes=(created, accepted))
    return [Ran(RUN), *history(5), Recorded(changed)]


def write(folder: Path) -> None:
    """Writes the files of this version. They contain no time and no random number of this run."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    state = encode_state(fold(empty(serial=SERIAL), _events()))
    (folder / STATE).write_bytes(state)
    _write_journal(folder / f"{STATE}.journal", content_of(state))
    _write_shared(folder)
    _write_plan(folder)
    (folder / "expected.json").write_text(_indented(facts(folder)), encoding="utf-8")


def _write_journal(path: Path, state: str) -> None:
    """An apply that was killed: a task that is not in the state yet, and an open attempt."""
    header = Header(LINEAGE, BACKEND, HEADER.provenance, state, HEADER.id, HEADER.version)
    journal = Journal(path, header, Replay(), lambda _: None, display_name=path.name)
    journal.append([Ran(RUN), ATTEMPTED])
    journal.append([RECORDED])
    journal.append([Attempted(attempt(6))])
    journal.shut()


def _write_shared(folder: Path) -> None:
    """The same apply on a shared state: its older entries are in a blob, the newest in the head."""
    saved = fold(empty(serial=SERIAL), _events())
    first, *rest = encode_event(ATTEMPTED), encode_event(RECORDED)
    (base, part) = (name for name in SHARED if name)
    head = Head(
        VERSION, saved.lineage, saved.serial, 1, 3, "c" * 32, base, None, (part,), (), tuple(rest)
    )
    stored = (encode_head(head), encode_state(saved), encode_segment([first]))
    for file, data in zip(SHARED.values(), stored, strict=True):
        (folder / file).write_bytes(data)


def _write_plan(folder: Path) -> None:
    """A plan of the manifest on the embedded service without tasks, made next to it. It shows how
    prompts end, so its state has an ID that is not random."""
    with tempfile.TemporaryDirectory() as elsewhere:
        local = Path(elsewhere, DEFAULT_STATE)
        local.parent.mkdir()
        local.write_bytes(encode_state(empty(backend="local")))
        for name in FILES:
            shutil.copy(folder / name, elsewhere)
        subprocess.run(
            [sys.executable, "-m", "reconciler", "plan", MANIFEST, "--quiet", "--out", PLAN],
            cwd=elsewhere,
            env=local_environment(Path(elsewhere)),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        shutil.copy(Path(elsewhere, PLAN), folder)


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    target = HERE / __version__
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    write(target)
    print(f"wrote {target.relative_to(Path.cwd())}")
