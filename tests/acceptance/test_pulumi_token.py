"""`script/pulumi_token.py` exchanges the identity token of a CI job, and shows it to nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.doc_blocks import ROOT, environment
from tests.support.token_exchange import ACCESS_TOKEN, ID_TOKEN, token_exchange


def exchanged(folder: Path, url: str, id_token: str = ID_TOKEN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", ROOT / "script" / "pulumi_token.py", "acme", "acme-taskctl"],
        env=environment(folder, PULUMI_BACKEND_URL=url, PULUMI_ID_TOKEN=id_token),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_personal_token_of_the_user_is_requested(tmp_path: Path) -> None:
    with token_exchange(tmp_path / "cloud.db") as (url, asked):
        ran = exchanged(tmp_path, url)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{ACCESS_TOKEN}\n", "")
    assert asked == [
        {
            "audience": "urn:pulumi:org:acme",
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": ID_TOKEN,
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "requested_token_type": "urn:pulumi:token-type:access_token:personal",
            "scope": "user:acme-taskctl",
        }
    ]


def test_a_refusal_is_one_line_without_the_token(tmp_path: Path) -> None:
    with token_exchange(tmp_path / "cloud.db") as (url, _):
        ran = exchanged(tmp_path, url, "another.token")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "no token for acme-taskctl" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "another.token" not in ran.stderr


def test_the_identity_token_is_not_sent_in_plain_text(tmp_path: Path) -> None:
    ran = exchanged(tmp_path, "http://pulumi.example.test")
    assert (ran.returncode, "is not https" in ran.stderr) == (1, True)
