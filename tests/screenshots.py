"""The screenshots of the documentation: a comment and a report, light and dark.

`python -m tests.screenshots` writes them (it needs Chromium) and `screenshots.txt`, the digests of
what they show. With `--check`, it only compares these digests: `make test-tools` does, so that a
picture cannot show an older page.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options

from tests.support.browser import Page, chromium, page
from tests.support.doc_blocks import ROOT
from tools.picture import manifest_of

IMAGES = ROOT / "docs/images"
DIGESTS = IMAGES / "screenshots.txt"
WIDTH = 820
HEIGHTS = {"comment": 550, "report": 780}
LOOK = """\
<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: light dark; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 24px; max-width: 772px; }
table { border-collapse: collapse; } td, th { border: 1px solid #8886; padding: 6px 13px; }
code, pre { font: 12px ui-monospace, monospace; background: #8882; border-radius: 6px; }
code { padding: 2px 4px; } pre { padding: 12px; } pre code { background: none; padding: 0; }
</style>
"""


def sources() -> Mapping[str, str]:
    """The content of each screenshot, as HTML."""
    comment, report = (_report(kind) for kind in ("markdown", "html"))
    shown = github_flavored_markdown_to_html(comment, Options.CMARK_OPT_UNSAFE)
    return {"comment": LOOK + shown, "report": report}


def digests() -> str:
    """A line for each screenshot: the SHA-256 of its source, and its name."""
    return "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sources().items()
    )


def _report(kind: str) -> str:
    """The plan of the manifest in docs/getting-started.md, in this format."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks").mkdir()
        manifest = Path(folder) / "tasks" / "buckets.yaml"
        manifest.write_text(manifest_of("docs/getting-started.md"), encoding="utf-8")
        words = ["plan", "--backend", "local", "--report", f"{kind}=plan"]
        subprocess.run(
            [sys.executable, "-m", "reconciler", *words],
            cwd=folder,
            env={"HOME": folder, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        return (Path(folder) / "plan").read_text(encoding="utf-8")


def _show(text: str, browser: Page, folder: Path) -> None:
    (folder / "shown.html").write_text(text, encoding="utf-8")
    browser.open(folder / "shown.html")
    browser.run("document.querySelectorAll('details').forEach((d) => d.open = true)")


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        return int(DIGESTS.read_text(encoding="utf-8") != digests())
    program = chromium()
    assert program, "there is no Chromium"
    with page(program) as browser:
        for name, text in sources().items():
            for scheme in ("light", "dark"):
                with tempfile.TemporaryDirectory() as folder:
                    browser.look(width=WIDTH, height=HEIGHTS[name], dark=scheme == "dark")
                    _show(text, browser, Path(folder))
                    browser.picture(IMAGES / f"{name}-{scheme}.png")
    DIGESTS.write_text(digests(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
