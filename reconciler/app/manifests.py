"""The manifests as the commands read them: those of the arguments, held against the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.cli.console.output import Output

if TYPE_CHECKING:
    from reconciler.manifest import Manifests
    from reconciler.manifest.policy import Policy


def load_manifests(paths: Sequence[str], out: Output) -> Manifests:
    """What `manifest.load` gives, errors too. ManifestError for a policy that cannot be used."""
    from reconciler.manifest import load

    policy = policy_of(out)
    return load(paths or out.common.config.paths, root=out.common.root, policy=policy)


def policy_of(out: Output) -> Policy | None:
    """The one that the configuration names. ManifestError where it cannot be used."""
    config = out.common.config
    name = config.values.get("policy")
    if name is None:
        return None
    from reconciler.manifest.policy import read_policy

    policy = read_policy(out.common.path(name), name, config.file or "")
    out.detail(f"policy: {name}")
    return policy
