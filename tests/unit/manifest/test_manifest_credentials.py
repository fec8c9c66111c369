"""Which text looks like a credential, and that it is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest.credentials import credentials
from reconciler.messages import word
from tests.support.manifest_cases import CASES, loaded

BODY = "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4zA6"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("AKIA" + "Q3EGRJ7WTLMZXPNB", "an AWS access key"),
        ("ASIA" + "Q3EGRJ7WTLMZXPNB", "an AWS access key"),
        ("AKIAIOSFODNN7" + "EXAMPLE", "an AWS access key"),  # no form with a prefix has dummies
        ("ghp_" + "x" * 36, "a GitHub token"),
        *((f"gh{kind}_{BODY}", "a GitHub token") for kind in "pousr"),
        ("github_pat_" + BODY + "_" + BODY, "a GitHub token"),
        ("glpat-" + BODY[:20], "a GitLab token"),
        ("xoxb-" + "2468013579-abcdef", "a Slack token"),
        ("xapp-" + "1-A2B3C4-d5e6f7", "a Slack token"),
        ("https://hooks.slack.com/services/T0A1B2/B3C4D5/" + BODY[:24], "a Slack web hook"),
        ("pul-" + "0a1b2c3d4e" * 4, "a Pulumi access token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key"),
        (f"eyJhbGciOiJI{BODY}.eyJzdWIiOiIx{BODY}.{BODY}", "a signed token (JWT)"),
        ("AIza" + BODY[:35], "a Google API key"),
        ("sk_live_" + BODY[:24], "a Stripe key"),
        ("sk-ant-" + BODY, "an Anthropic key"),
        ("npm_" + BODY[:36], "an npm token"),
        ("postgres://admin:s3cretpw99@db.internal/x", "a password in a URL"),
        ("password: hunter2!horse", "a password"),
        ("\"passwd\" = 'hunter2horse'", "a password"),
        ("PASSWORD=hunter2horse", "a password"),
        ("api_key: " + BODY, "a secret"),
        ("aws_secret_access_key = " + BODY, "a secret"),
        ("Token: " + BODY, "a secret"),
    ],
)
def test_credentials_are_found(text: str, what: str) -> None:
    ((found, secret),) = credentials(f"Deploy with {text} please.")
    assert found == what
    assert secret in text


@pytest.mark.parametrize(
    "text",
    [
        "Rotate the token: it is in vault. The password: ask the team.",
        "Key: rotate-iam-keys; secret=${DEPLOY_SECRET_2026_FROM_VAULT}",
        "https://user:changeme@host/ or secret=EXAMPLE0example0example",
        "https://user:$PASS@host/ or https://user:<password>@host/ or http://host:8080/a@b",
        "password: changeme123 or password: xxxxxxxx1 or password: longwords",
        "ghp_short, xoxb-1, pul-abc, glpat-x, sk_live_1, npm_install, eyJ.eyJ.x, AIza",
        "-----BEGIN CERTIFICATE----- and PRIVATE KEY without a head",
        "tokens: count them; token: 12 of them",
        "",
    ],
)
def test_other_text_is_not_a_credential(text: str) -> None:
    assert list(credentials(text)) == []


def test_the_credential_is_never_shown(tmp_path: Path) -> None:
    manifests = loaded((CASES / "credentials.yaml").read_bytes(), tmp_path)
    shown = repr(manifests.diagnostics) + "".join(map(str, map(word, manifests.diagnostics)))
    for secret in ("AKIAJ7QWERTYUIOPASDF", "hunter2", "s3cretpw99", "abcd1234efgh", "ghp_0Zz"):
        assert secret not in shown


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_credential_is_located_within_a_block_scalar(tmp_path: Path, line_end: str) -> None:
    text = line_end.join(
        [
            "version: 1",
            "tasks:",
            "  é:",
            "    message: >",
            "      é",
            "      é password: hunter2!x",
            "",
        ]
    )
    (found,) = [d for d in loaded(text, tmp_path).diagnostics if d.code == "TC402"]
    assert (found.line, found.column) == (6, 19)
