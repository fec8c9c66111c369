"""Enforces the structure that the page on the architecture describes, by reading the source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.loaded_modules import loaded

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "reconciler"
MODULES = sorted(PACKAGE.rglob("*.py"))

ROWS = (
    ("model", "messages", "system"),
    ("state.attempt", "state.model", "state.ledger", "apply.report", "importing.report"),
    ("plan", "manifest", "tasks"),
    ("apply", "remote", "embedded", "state", "importing"),
    ("app",),
    ("render",),
    ("cli",),
    ("__main__",),
)
"""From the bottom up. The longest prefix of a module determines its row: `state.model`, what folds
events into it, and the reports are values, below the rest of their packages."""

DOORS: dict[str, str | tuple[str, ...]] = {
    "click": "cli/",
    "deepdiff": "plan/diff.py",
    "jsonschema": "manifest/schema.py",
    "jsonschema_rs": "manifest/schema.py",
    "referencing": "manifest/schema.py",
    "obstore": "state/engines/objects.py",
    "psycopg": "state/engines/postgres.py",
    "msgspec": ("model/", "state/", "embedded/requests.py"),
    "requests": "remote/",
    "ruamel": "manifest/",
    "urllib3": "remote/",
    "waitress": "embedded/server.py",
}
"""The only place where each library may be imported."""

PURE = (
    "plan",
    "tasks",
    "importing",
    "model.task",
    "model.wire",
    "model.work",
    "model.reference",
    "model.canonical",
    "model.fields",
    "model.diagnostics",
    "state.attempt",
    "state.model",
    "state.ledger",
    "state.edit",
    "apply.report",
)
OUTSIDE = {
    *("gc", "os", "pathlib", "random", "signal", "socket", "sqlite3", "subprocess", "sys"),
    *("tempfile", "threading", "time"),
}

OUTSIDE_OURS = ("system.cache", "system.clock", "system.disk", "system.git")

MAX_FUNCTION = 50
COVERAGE_PRAGMAS = 0


def named(path: Path) -> str:
    """`plan/diff.py` as `plan.diff`; an `__init__.py` as its package."""
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """All modules that a module imports, also inside functions and only for types."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names):
                found += [alias.name for alias in names]
            case ast.ImportFrom(module, names, 0):
                found += [f"{module}.{alias.name}" for alias in names]
            case ast.ImportFrom():
                found.append("a relative import")
            case _:
                pass
    return tuple(found)


def own_imports(path: Path) -> Iterator[str]:
    """The imported modules of the package, without its name; a member counts as its module."""
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "reconciler" and rest != "__version__":
            yield rest


def fits(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def row(name: str) -> int:
    found = [(len(p), n) for n, line in enumerate(ROWS) for p in line if fits(name, p)]
    assert found, f"{name} has no place in the house"
    return max(found)[1]


def test_imports_point_down() -> None:
    wrong = []
    for path in MODULES:
        name = named(path)
        if name == "__init__":
            assert not list(imports(path))
            continue
        here, package = row(name), name.partition(".")[0]
        for imported in own_imports(path):
            there = row(imported)
            beside = there == here and (here == 0 or package == imported.partition(".")[0])
            if not (there < here or beside):
                wrong.append(f"{name} imports {imported}")
    assert not wrong


def cycles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The groups of files that import each other, directly or not (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        path.append(name)
        for other in edges[name]:
            if other not in order:
                visit(other)
            if other in path:
                low[name] = min(low[name], low[other])
        if low[name] == order[name]:
            at = path.index(name)
            group = frozenset(path[at:])
            del path[at:]
            found.update({group} if len(group) > 1 else ())

    for name in edges:
        if name not in order:
            visit(name)
    return found


def test_no_files_import_each_other() -> None:
    names = {named(path) for path in MODULES}
    edges: dict[str, set[str]] = {}
    for path in MODULES:
        found = set()
        for imported in own_imports(path):
            module = imported if imported in names else imported.rpartition(".")[0]
            found |= {module} & names - {named(path)}
        edges[named(path)] = found
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {frozenset("bc")}  # it finds them
    assert not cycles(edges)


WORDED = ("cli", "render", "messages")
"""Packages that make text. All others have codes and facts."""


def test_only_what_makes_text_imports_messages() -> None:
    for path in MODULES:
        if named(path).partition(".")[0] not in WORDED:
            assert not [name for name in own_imports(path) if fits(name, "messages")], path


def test_plan_imports_no_engine_or_remote_and_embedded_and_remote_are_independent() -> None:
    strangers = {"plan": ("state.", "remote"), "embedded": ("remote",), "remote": ("embedded",)}
    for package, others in strangers.items():
        for path in sorted((PACKAGE / package).rglob("*.py")):
            values = ("state.attempt", "state.model", "state.ledger")
            known = {i for i in own_imports(path) if not any(fits(i, value) for value in values)}
            assert not [i for i in known if i.startswith(others)], path


CORE = (
    *("model", "manifest", "plan", "apply", "remote"),
    *("state.session", "state.ledger", "state.commit", "state.model", "state.attempt"),
    *("state.codec", "state.journal", "state.edit", "state.local"),
    *("app.workspace", "app.reading", "app.survey", "app.task_reader", "app.planning"),
    *("app.plan", "app.apply", "app.wave", "app.wait"),
)
"""What `plan` and `apply` need, whatever they are used for."""

LEAVES = (
    *("cli", "render", "embedded", "importing", "state.engines", "state.shared"),
    *("tasks.results", "tasks.conversation"),
    *(
        "app.init",
        "app.import_",
        "app.logs",
        "app.results",
        "app.respond",
        "app.doctor",
        "app.show",
    ),
)
"""What a first reader may ignore."""


def test_the_core_imports_no_leaf() -> None:
    wrong = []
    for path in MODULES:
        if any(fits(named(path), prefix) for prefix in CORE):
            found = (i for i in own_imports(path) if any(fits(i, leaf) for leaf in LEAVES))
            wrong += [f"{named(path)} imports {name}" for name in found]
    assert not wrong


def test_each_library_is_imported_in_one_place() -> None:
    wrong = []
    for path in MODULES:
        where = path.relative_to(PACKAGE).as_posix()
        for name in imports(path):
            top = name.partition(".")[0]
            if top in ("reconciler", "_typeshed") or top in sys.stdlib_module_names:
                continue
            if not where.startswith(DOORS.get(top, "nowhere")):
                wrong.append(f"{where} imports {top}")
    assert not wrong


def test_the_core_is_pure() -> None:
    for path in MODULES:
        name = named(path)
        if any(fits(name, pure) for pure in PURE):
            assert not {i.partition(".")[0] for i in imports(path)} & OUTSIDE, name
            assert not [i for i in own_imports(path) for o in OUTSIDE_OURS if fits(i, o)], name
            assert not re.search(r"\b(?:now|utcnow|today)\(", path.read_text(encoding="utf-8")), (
                name
            )


def test_functions_are_short() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1  # without decorators
                assert length < MAX_FUNCTION, f"{path}: {node.name}: {length} lines"


def test_the_budget_of_coverage_pragmas() -> None:
    """Code that no test reaches must be listed here."""
    marked = [p for p in MODULES if "pragma: no" in p.read_text(encoding="utf-8")]
    assert len(marked) == COVERAGE_PRAGMAS, marked


# What `validate` imports costs time at every commit. The goal: less than 2.8 times as long as to
# import click (`make bench ROWS=validate-one`).


HEAVY = {
    *("asyncio", "deepdiff", "difflib", "hashlib", "http", "jsonschema", "logging"),
    *("requests", "sqlite3", "ssl", "urllib3", "waitress"),
}
OTHER_COMMANDS = ("apply", "embedded", "importing", "plan", "remote", "state", "tasks")
"""Packages that no manifest needs."""


def heavy_of(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & HEAVY


def ours_of(modules: set[str]) -> set[str]:
    return {name.removeprefix("reconciler.") for name in modules if name.startswith("reconciler.")}


def test_version_imports_only_the_command_line() -> None:
    modules = loaded(ROOT, "--version")
    assert not heavy_of(modules) | {"msgspec", "click.shell_completion"} & modules
    assert {name.partition(".")[0] for name in ours_of(modules)} == {"cli", "model", "render"}


@pytest.mark.parametrize(("manifest", "expands"), [("drift-report", False), ("cost-review", True)])
def test_validate_imports_little(manifest: str, *, expands: bool) -> None:
    modules = loaded(ROOT, "validate", f"examples/tasks/{manifest}.yaml")
    assert not heavy_of(modules)
    ours = ours_of(modules)
    assert not [name for name in ours if name.startswith(OTHER_COMMANDS)]
    assert ("manifest.expand.entries" in ours) is expands


def test_a_plan_without_changes_imports_neither_apply_nor_what_explains(tmp_path: Path) -> None:
    manifest = tmp_path / "a.tasks.yaml"
    text = "version: 1\norgName: acme\ntasks: {a: {message: finishing}}\n"
    manifest.write_text(text)
    loaded(tmp_path, "apply", "--yes", "--backend", "local")
    unused = {
        *("asyncio", "deepdiff", "html", "jsonschema", "waitress"),
        *("reconciler.apply.rounds", "reconciler.cli.console.progress", "reconciler.importing"),
    }
    assert not unused & loaded(tmp_path, "plan", "--backend", "local")
    manifest.write_text(text.replace("finishing", "finishing, approvalMode: auto"))
    assert "deepdiff" in loaded(tmp_path, "plan", "--backend", "local")


def test_status_parses_only_manifests_that_may_expect_something(tmp_path: Path) -> None:
    manifest = tmp_path / "a.tasks.yaml"
    text = "version: 1\norgName: acme\ntasks: {a: {message: finishing}}\n"
    manifest.write_text(text)
    loaded(tmp_path, "apply", "--yes", "--backend", "local")
    loaded(tmp_path, "wait", "--backend", "local")  # the result of a running task is not evaluated
    modules = loaded(tmp_path, "status", "--backend", "local")
    assert not {"ruamel", "jsonschema", "jsonschema_rs", "reconciler.manifest.parse"} & modules
    for more in ("# expect", "# a \\"):
        manifest.write_text(f"{text}{more}\n")
        modules = loaded(tmp_path, "status", "--backend", "local")
        assert "reconciler.manifest.parse.source" in modules, more


# Paths in documents exist.

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "bench" / "README.md",
    *(FOR_CONTRIBUTORS := sorted((ROOT / "docs" / "contributing").glob("*.md"))),
]
MAX_WORDS = 5600
MADE_BY_RUNS = (".taskctl", ".demo", ".venv")
A_READERS_OWN = {"tasks/iam.yaml", "tasks/buckets.yaml"}


def named_paths(text: str) -> set[str]:
    """Paths in backquotes: everything with a slash."""
    return set(re.findall(r"`([\w.{},*-]+/[\w./{},*-]*)`", text))


def linked_paths(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text))


def spelled_out(path: str) -> list[str]:
    """`a/{b,c}.py` is two paths."""
    match = re.search(r"\{([^{}]*)\}", path)
    if match is None:
        return [path]
    before, after = path[: match.start()], path[match.end() :]
    return [p for part in match[1].split(",") for p in spelled_out(before + part + after)]


def is_there(path: Path) -> bool:
    return path.exists() or any(path.parent.glob(path.name))


def test_every_path_named_in_a_document_exists() -> None:
    """Relative to the repository or to the package. Other paths belong to the reader or to other
    projects, except on the pages for contributors, which name only our own."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert not [path for path in linked_paths(text) if not is_there(document.parent / path)]
        for path in sorted(one for name in named_paths(text) for one in spelled_out(name)):
            top = path.partition("/")[0]
            ours = [root for root in (ROOT, PACKAGE) if (root / top).exists()]
            if (
                path not in A_READERS_OWN
                and top not in MADE_BY_RUNS
                and (ours or document in FOR_CONTRIBUTORS)
            ):
                assert any(is_there(root / path) for root in ours), path


def test_the_pages_for_contributors_are_short() -> None:
    words = [len(path.read_text(encoding="utf-8").split()) for path in FOR_CONTRIBUTORS]
    assert sum(words) <= MAX_WORDS


def test_the_architecture_names_every_package() -> None:
    page = ROOT / "docs/contributing/architecture.md"
    named_there = named_paths(page.read_text(encoding="utf-8"))
    spelled = {one for path in named_there for one in spelled_out(path)}
    packages = {p.parent.relative_to(PACKAGE).as_posix() for p in MODULES} - {"."}
    assert not [name for name in packages if not any(s.startswith(f"{name}/") for s in spelled)]
