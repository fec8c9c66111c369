"""The manifests as the commands read them: those of the arguments, held against the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.cli.output import Output

if TYPE_CHECKING:
    from reconciler.manifest import Manifests


def load_manifests(paths: Sequence[str], out: Output) -> Manifests:
    """What `manifest.load` gives, errors too. ManifestError for a policy that cannot be used."""
    from reconciler.manifest import load

    config = out.common.config
    name = config.values.get("policy")
    policy = None
    if name is not None:
        from reconciler.manifest.policy import read_policy

        policy = read_policy(out.common.path(name), name, config.file or "")
        out.detail(f"policy: {name}")
    return load(paths or config.paths, root=out.common.root, policy=policy)
