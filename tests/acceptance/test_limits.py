"""Small inputs that ask for gigabytes or hours are rejected early, by the table of limits; the
largest legitimate ones pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model import limits
from tests.support.measured import (
    FEW_SECONDS,
    MAX_MIB,
    MAX_SECONDS,
    Measure,
    measure,
    write_tasks,
)

__all__ = ["measure"]
pytestmark = pytest.mark.tools


def numbers(folder: Path, count: int) -> None:
    (folder / "data/n.txt").write_text("".join(f"{n}\n" for n in range(count)))


FROM_FILE = "forEach: {n: {file: ../data/n.txt}, atMost: 20000}"


# Entries


@pytest.mark.reaches("TASKS")
def test_the_tasks_of_all_entries_together_are_limited(tmp_path: Path, measure: Measure) -> None:
    numbers(tmp_path, limits.TASKS // 2)
    entry = f"{FROM_FILE}, message: 'do {{{{ n }}}}'"
    write_tasks(tmp_path, "".join(f"  e{n}: {{{entry}, name: e{n}}}\n" for n in range(3)))
    numbers(tmp_path, 7_000)
    measure("validate").assert_refused("TC314")


@pytest.mark.reaches("TASKS")
@pytest.mark.parametrize("more", [0, 1])
def test_rows_without_a_due_period_are_limited_too(
    tmp_path: Path, measure: Measure, more: int
) -> None:
    numbers(tmp_path, limits.TASKS // 2)
    entry = f"{FROM_FILE}, every: month, from: '2030-01-01', message: 'do {{{{ n }}}}'"
    write_tasks(tmp_path, "".join(f"  e{n}: {{{entry}}}\n" for n in range(2 + more)))
    measured = measure("validate")
    assert (measured.code, measured.codes) == ((1, ["TC314"]) if more else (0, []))


@pytest.mark.reaches("TASKS")
def test_an_entry_with_as_many_tasks_is_valid(tmp_path: Path, measure: Measure) -> None:
    numbers(tmp_path, limits.TASKS)
    write_tasks(tmp_path, f"  e: {{{FROM_FILE}, message: 'do {{{{ n }}}}'}}\n")
    assert measure("validate").code == 0


@pytest.mark.reaches("TASKS")
@pytest.mark.parametrize("more", [0, 1])
def test_declared_tasks_are_limited_too(tmp_path: Path, measure: Measure, more: int) -> None:
    count = limits.TASKS + more
    write_tasks(tmp_path, "".join(f"  k{n}: {{message: do {n}}}\n" for n in range(count)))
    measured = measure("validate")
    assert (measured.code, measured.codes) == ((1, ["TC314"]) if more else (0, []))
    assert measured.mib < MAX_MIB


@pytest.mark.reaches("MANIFESTS_BYTES")
@pytest.mark.parametrize("count", [8, 9])
def test_the_manifests_of_a_run_are_limited(tmp_path: Path, measure: Measure, count: int) -> None:
    """Each file is as large as it may be."""
    for number in range(count):
        task = f"  k{number}: {{message: do {number}}}\n"
        write_tasks(tmp_path, task, f"f{number}")
        path = tmp_path / "tasks" / f"f{number}.yaml"
        with path.open("a") as file:
            file.write(f"#{'x' * (limits.MANIFEST_BYTES - path.stat().st_size - 2)}\n")
    measured = measure("validate")
    assert (measured.code, measured.codes) == ((1, ["TC102"]) if count > 8 else (0, []))
    assert measured.seconds < MAX_SECONDS
    assert measured.mib < MAX_MIB


# The globs that cost most for their number of `*`: what they begin with, contain and end with.
GLOBS = {
    "old": ("old{n}-*", 1),
    "parts": ("*" + "a*" * 49 + "b{n}", 50),
    "needle": ("*" + "a" * 30 + "b" + "a" * 30 + "*{n}", 2),
}


@pytest.mark.reaches("GLOB_STARS")
@pytest.mark.parametrize("glob", GLOBS)
def test_globs_of_removed_tasks_are_limited(tmp_path: Path, measure: Measure, glob: str) -> None:
    """Each is compared with each task."""
    values = ", ".join(f"{'a' * 50}{n}" for n in range(141))
    axes = f"{{a: [{values}], b: [{values}], atMost: 20000}}"
    entry = f"  a: {{forEach: {axes}, message: 'do {{{{ a }}}} {{{{ b }}}}'}}\n"
    text, stars = GLOBS[glob]
    most = limits.GLOB_STARS // stars
    for count, code in ((most, 0), (most + 1, 1)):
        globs = "".join(f"  - '{text.format(n=n)}'\n" for n in range(count))
        write_tasks(tmp_path, f"{entry}removed:\n{globs}")
        measured = measure("validate")
        assert (measured.code, set(measured.codes)) == (code, {"TC314"} if code else set())
        assert measured.seconds < FEW_SECONDS
        assert measured.mib < MAX_MIB


def test_what_is_above_a_limit_is_neither_compared_nor_read(
    tmp_path: Path, measure: Measure
) -> None:
    """It would take quadratic time."""
    globs = "".join(f"  - 'k*{n}'\n" for n in range(limits.GLOB_STARS + 1))
    write_tasks(tmp_path, f"  k1: {{message: do it}}\nremoved:\n{globs}")
    measure("validate").assert_refused("TC314")
    axes = ", ".join(f"a{n}: {{file: none.csv}}" for n in range(limits.AXES + 1))
    write_tasks(tmp_path, f"  e: {{forEach: {{{axes}}}, message: do it}}\n")
    measure("validate").assert_refused("TC314")


@pytest.mark.reaches("ORGANIZATIONS")
def test_the_organizations_of_a_run_are_limited(tmp_path: Path, measure: Measure) -> None:
    for count, code in ((limits.ORGANIZATIONS, 0), (limits.ORGANIZATIONS + 1, 1)):
        tasks = (f"  k{n}: {{message: do it, orgName: o{n}}}\n" for n in range(count))
        write_tasks(tmp_path, "".join(tasks))
        measured = measure("validate")
        assert (measured.code, set(measured.codes)) == (code, {"TC314"} if code else set())


@pytest.mark.reaches("AXES")
def test_the_axes_of_an_entry_are_limited(tmp_path: Path, measure: Measure) -> None:
    for count, code in ((limits.AXES, 0), (limits.AXES + 1, 1)):
        axes = ", ".join(f"a{n}: [x]" for n in range(count))
        write_tasks(tmp_path, f"  e: {{forEach: {{{axes}}}, message: do it}}\n")
        measured = measure("validate")
        assert (measured.code, set(measured.codes)) == (code, {"TC314"} if code else set())


@pytest.mark.reaches("NAME_CHARACTERS")
@pytest.mark.parametrize(
    ("axes", "code"),
    [
        ("{}: [x]", "TC206"),
        ("n: [{{{}: x, name: y}}]", "TC310"),
        ("n: {{file: ../data/n.json}}", "TC310"),
    ],
)
def test_the_names_of_axes_and_fields_are_limited(
    tmp_path: Path, measure: Measure, axes: str, code: str
) -> None:
    for length, codes in ((limits.NAME_CHARACTERS, []), (limits.NAME_CHARACTERS + 1, [code])):
        name = "a" * length
        (tmp_path / "data/n.json").write_text(json.dumps([{name: "x", "name": "y"}]))
        write_tasks(tmp_path, f"  e: {{forEach: {{{axes.format(name)}}}, message: do it}}\n")
        measured = measure("validate")
        assert measured.codes == codes


@pytest.mark.reaches("ROW_VALUES")
@pytest.mark.parametrize("more", [0, 1])
def test_the_values_of_all_rows_are_limited(tmp_path: Path, measure: Measure, more: int) -> None:
    fields = ",".join(["name", *(f"f{n}" for n in range(998))])
    rows = "".join(f"{n}{',' * 998}\n" for n in range(1_000))
    (tmp_path / "data/n.csv").write_text(f"{fields}\n{rows}")
    entry = "{forEach: {n: {file: ../data/n.csv}}, message: 'do {{ n.name }}'}"
    other = "{forEach: {n: [x]}, message: 'do {{ n }}'}"
    write_tasks(tmp_path, f"  e: {entry}\n" + f"  o: {other}\n" * more)
    measured = measure("validate")
    assert (measured.code, measured.codes) == ((1, ["TC314"]) if more else (0, []))


def test_wide_rows_and_empty_axes_are_not_combined(tmp_path: Path, measure: Measure) -> None:
    numbers(tmp_path, limits.TASKS)
    header = ",".join(["name", *(f"f{n}" for n in range(60_000))])
    (tmp_path / "data/wide.csv").write_text(f"{header}\n{header}\n")
    wide, empty = "{n: {file: ../data/wide.csv}}", "{n: {file: ../data/n.txt}, z: [], atLeast: 0}"
    for for_each in (wide, empty):
        entry = f"{{forEach: {for_each}, message: do it}}"
        write_tasks(tmp_path, "".join(f"  e{n}: {entry}\n" for n in range(2_000)))
        measured = measure("validate")
        assert "TC314" in measured.codes
        assert measured.seconds < MAX_SECONDS
        assert measured.mib < MAX_MIB


@pytest.mark.reaches("MATCHERS")
@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, 1)])
def test_the_matchers_of_an_entry_are_limited(
    tmp_path: Path, measure: Measure, more: int, code: int
) -> None:
    """In the worst case, all entries of a run compare 20,000 combinations with that many."""
    rows = [{"name": f"v{n}"} for n in range(1_000)]
    matchers = [{"n": {"name": f"v{n}"}} for n in range(limits.MATCHERS + more)]
    (tmp_path / "data/n.json").write_text(json.dumps(rows))
    for_each = {"n": {"file": "../data/n.json"}, "exclude": matchers}
    entry = {"message": "do {{ n.name }}", "forEach": for_each}
    entries = (f"  e{n}: {json.dumps({**entry, 'name': f'e{n}'})}\n" for n in range(20))
    write_tasks(tmp_path, "".join(entries))
    measured = measure("validate")
    assert (measured.code, set(measured.codes) & {"TC316"}) == (code, {"TC316"} if code else set())
    assert measured.seconds < MAX_SECONDS


def test_matchers_of_many_names_are_compared_quickly(tmp_path: Path, measure: Measure) -> None:
    """The worst case: all entries share matchers of which only the last name never matches."""
    fields = {f"{n}": "v" for n in range(44)}
    for axis in ("a", "b"):
        rows = [{**fields, "name": f"{axis}{n}"} for n in range(31)]
        (tmp_path / f"data/{axis}.json").write_text(json.dumps(rows))
    matchers = [{"a": fields, "b": {**fields, "name": f"z{n}"}} for n in range(limits.MATCHERS)]
    axes = "a: {file: ../data/a.json}, b: {file: ../data/b.json}"
    text = ""
    for n in range(20):
        shared = "*m" if n else f"&m {json.dumps(matchers)}"
        text += f"  e{n}: {{forEach: {{{axes}, exclude: {shared}}}, rollout: {{pilot: *m}}, "
        text += f"message: 'do {n} {{{{ a.name }}}} {{{{ b.name }}}}'}}\n"
    write_tasks(tmp_path, text)
    measured = measure("validate")
    assert set(measured.codes) == {"TC316"}
    assert measured.seconds < FEW_SECONDS


@pytest.mark.reaches("GENERATED_BYTES")
@pytest.mark.parametrize("in_file", [False, True])
def test_the_text_of_all_entries_together_is_limited(
    tmp_path: Path, measure: Measure, *, in_file: bool
) -> None:
    numbers(tmp_path, 900)
    prompt = "{{ n }} " + "x" * 60_000
    (tmp_path / "prompt.md").write_text(prompt)
    message = "{contentFile: ../prompt.md}" if in_file else f'"{prompt}"'
    entry = f"forEach: {{n: {{file: ../data/n.txt}}}}, message: {message}"
    write_tasks(tmp_path, f"  e: {{{entry}}}\n")
    assert measure("validate").code == 0
    write_tasks(tmp_path, "".join(f"  e{n}: {{{entry}, name: e{n}}}\n" for n in range(20)))
    measure("validate").assert_refused("TC314")


@pytest.mark.reaches("NAMED_FILE_BYTES", "GENERATED_BYTES")
def test_a_prompt_file_of_1_mib_in_an_entry_of_60_is_valid(
    tmp_path: Path, measure: Measure
) -> None:
    numbers(tmp_path, 60)
    text = "{{ n }}\n".ljust(limits.NAMED_FILE_BYTES, "x")
    (tmp_path / "prompt.md").write_text(text)
    entry = "{forEach: {n: {file: ../data/n.txt}}, message: {contentFile: ../prompt.md}}\n"
    write_tasks(tmp_path, f"  e: {entry}")
    assert measure("validate").code == 0
    numbers(tmp_path, 1_000)
    measure("validate").assert_refused("TC314")


@pytest.mark.reaches("PATH_CHARACTERS")
def test_the_length_of_a_path_is_limited(tmp_path: Path, measure: Measure) -> None:
    path = "a/" * 400_000
    write_tasks(tmp_path, f"  a: {{message: do it, expect: {{data: {path}x.json}}}}\n")
    measure("validate").assert_refused("TC101")


@pytest.mark.reaches("PATH_PARTS")
@pytest.mark.parametrize("more", [0, 1])
def test_the_parts_of_a_path_are_limited(tmp_path: Path, measure: Measure, more: int) -> None:
    folder = "/".join(["d"] * (limits.PATH_PARTS - 1 + more))
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "p.md").write_text("Do it.")
    write_tasks(tmp_path, f"  a: {{message: {{contentFile: ../{folder}/p.md}}}}\n")
    measured = measure("validate")
    assert (measured.code, measured.codes) == ((1, ["TC101"]) if more else (0, []))


@pytest.mark.reaches("LINK_PARTS")
@pytest.mark.parametrize("more", [0, 1])
def test_the_links_in_paths_are_limited(tmp_path: Path, measure: Measure, more: int) -> None:
    (tmp_path / "link").symlink_to("/".join(["."] * (limits.LINK_PARTS + more)))
    names = [f"p{n}/p" for n in range(10_000)]
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(f"Do {name}.")
    tasks = (
        f"  k{n}: {{message: {{contentFile: ../link/{name}}}}}\n" for n, name in enumerate(names)
    )
    write_tasks(tmp_path, "".join(tasks))
    measured = measure("validate")
    assert (measured.code, set(measured.codes)) == ((1, {"TC101", "TC830"}) if more else (0, set()))
    assert measured.seconds < FEW_SECONDS


def test_prompts_in_nested_directories_cost_what_their_number_costs(
    tmp_path: Path, measure: Measure
) -> None:
    seconds = []
    for folder in ("flat", "/".join(["d"] * 20)):
        (tmp_path / folder).mkdir(parents=True)
        names = [f"{folder}/{n}.md" for n in range(2_000)]
        for n, name in enumerate(names):
            (tmp_path / name).write_text(f"Do {n}.")
        tasks = (
            f"  k{n}: {{message: {{contentFile: ../{name}}}}}\n" for n, name in enumerate(names)
        )
        write_tasks(tmp_path, "".join(tasks))
        measured = measure("validate")
        assert measured.code == 0
        seconds.append(measured.seconds)
    flat, nested = seconds
    assert nested <= 2 * flat


@pytest.mark.parametrize("unit", ["#taskctl:ignore[ ", "content: a#"])
def test_a_prompt_full_of_comments_is_read_quickly(
    tmp_path: Path, measure: Measure, unit: str
) -> None:
    """Of a length for which a search of the rest of the line at each of them takes minutes."""
    write_tasks(tmp_path, f'  a: {{message: "{unit * (600_000 // len(unit))}"}}\n')
    ended = measure("validate")
    assert ended.code == 0
    assert ended.seconds < MAX_SECONDS


@pytest.mark.reaches("YAML_DEPTH")
@pytest.mark.parametrize("program", ["name: x\nresources: ", '{"deployment": '])
def test_a_program_that_is_nested_too_deeply(
    tmp_path: Path, measure: Measure, program: str
) -> None:
    (tmp_path / "x").write_text(program + "[" * 300_000)
    measure("import", "--backend", "local", "--dry-run", "--from", "x").assert_refused("TC111")


# The configuration

CONFIGURATIONS = {
    "levels": f"x = {'[' * 400_000}",
    "digits": f"x = {'9' * 5_000}",
    "key": "a." * 400_000 + "a = 1",
    "quoted key": "'a' .\t" * 100_000 + "a = 1",
    "keys": "".join(f"k{n} = 1\n" for n in range(80_000)),
    "tables": "".join(f"[a{n}.b]\n" for n in range(40_000)),
    "paths": "paths = [" + '"a",' * 200_000 + "]",
    "path": f"paths = ['{'a/' * 400_000}']",
    "spaces": f"{' ' * 500_000}x\n",
}


@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_configuration_is_read_quickly(tmp_path: Path, measure: Measure, text: str) -> None:
    write_tasks(tmp_path, "  a: {message: do it}\n")
    (tmp_path / "taskctl.toml").write_text(text)
    measure("validate").assert_refused("TC805")


# Aliases

NAMES = [f"n{n}" for n in range(1_000)]
PADDING = f"# {'x' * 100}\n" * 9_000
"""Close to 1 MB of a comment, which does not extend a limit."""


def _aliases(value: str, name: str, count: int) -> str:
    """A task whose setting `name` has `value`, and `count` tasks that repeat it."""
    first = f"  a: {{message: x, {name}: &a {value}}}\n"
    return first + "".join(f"  t{n}: {{message: x, {name}: *a}}\n" for n in range(count))


@pytest.mark.reaches("ALIAS_VALUES")
def test_the_values_behind_aliases_are_limited(tmp_path: Path, measure: Measure) -> None:
    names = f"{{{', '.join(f'{name}: 1' for name in NAMES)}}}"
    write_tasks(tmp_path, _aliases(names, "x", limits.ALIAS_VALUES // 5_000) + PADDING)
    measure("validate").assert_refused("TC112")


@pytest.mark.reaches("TASK_FINDINGS")
@pytest.mark.parametrize(
    "tasks",
    [
        _aliases(f"[{', '.join('1' for _ in NAMES)}]", "after", 3_900),
        _aliases(f"[{', '.join(NAMES)}]", "after", 700),
        f"  a: &a {{message: x, {', '.join(f'{name}: 1' for name in NAMES)}}}\n"
        + "".join(f"  t{n}: *a\n" for n in range(600)),
    ],
    ids=["types", "names", "properties"],
)
def test_wrong_values_behind_aliases(tmp_path: Path, measure: Measure, tasks: str) -> None:
    """As many as the limit allows: an error for each would take gigabytes."""
    write_tasks(tmp_path, tasks + PADDING)
    ended = measure("validate")
    assert ended.code == 1
    assert ended.codes
    assert "TC814" not in ended.codes  # what is left out is not taken for right
    assert ended.seconds < MAX_SECONDS
    assert ended.mib < MAX_MIB


# Errors

HEAD = "version: 1\norgName: acme\ntasks:\n"
ERRORS: dict[str, tuple[str, Callable[[int], str]]] = {
    "keys": (HEAD, lambda n: f"  A {n}:\n"),
    "tasks": (HEAD, lambda n: f"  a{n}:\n"),
    "merge keys": (HEAD, lambda n: f"  a{n}: {{<<: 1}}\n"),
    "duplicate keys": ("", lambda _: "a:\n"),
}


@pytest.mark.parametrize("command", ["validate", "fmt --check"])
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.reaches("FILE_ERRORS")
def test_a_megabyte_of_errors(tmp_path: Path, measure: Measure, command: str, kind: str) -> None:
    head, line = ERRORS[kind]
    count = 1_000_000 // len(line(50_000))
    text = head + "".join(map(line, range(count)))
    (tmp_path / "tasks" / "a.yaml").write_text(text)
    ended = measure(*command.split())
    assert ended.code == int(not command.startswith("fmt") or kind not in ("keys", "tasks"))
    assert ended.seconds < FEW_SECONDS
    assert ended.mib < MAX_MIB


def test_many_differences_of_short_lines(tmp_path: Path, measure: Measure) -> None:
    """The worst case: the lines of one text are the same, and every other line of the other one."""
    lines = [line for n in range(145) for line in (f"{n:x}", "")]
    texts = {("apply", "--yes"): lines, ("plan", "--report", "html=plan.html"): [""] * 290}
    for words, middle in texts.items():
        prompts = ("\n".join((f"{words[0]} {n}", *middle, "end")) for n in range(400))
        tasks = (f"  k{n}: {{message: {json.dumps(text)}}}\n" for n, text in enumerate(prompts))
        write_tasks(tmp_path, "".join(tasks))
        ended = measure(*words, "--backend", "local")
        assert ended.code == 0
    assert ended.seconds < FEW_SECONDS


@pytest.mark.reaches("TASK_FINDINGS")
def test_a_prompt_file_of_wrong_templates(tmp_path: Path, measure: Measure) -> None:
    text = "".join(f"{{{{x{n}}}}} " for n in range(90_000))
    (tmp_path / "prompt.md").write_text(text)
    entry = "{forEach: {n: [1]}, message: {contentFile: ../prompt.md}}"
    write_tasks(tmp_path, f"  e: {entry}\n")
    ended = measure("validate")
    assert ended.code == 1
    assert len(ended.codes) == limits.TASK_FINDINGS
    assert ended.seconds < FEW_SECONDS


def test_as_many_entries_as_tasks(tmp_path: Path, measure: Measure) -> None:
    tasks = (f"  e{n}: {{forEach: {{a: [x]}}, message: do {n}}}\n" for n in range(limits.TASKS))
    write_tasks(tmp_path, "".join(tasks))
    ended = measure("validate")
    assert ended.code == 0
    assert ended.seconds < FEW_SECONDS


# Suggestions

LONG = "x" * 100
FIELDS = ", ".join(f"{LONG}{n}: 1" for n in range(2_000))
TEXT = " ".join(f"{{{{ a.{LONG}{n}y }}}}" for n in range(2_000))
SHORT_FIELDS = ", ".join(f"f{n}: 1" for n in range(40_000))
STACKS = ", ".join(f"{{type: stack, project: '{{{{ a.g{n} }}}}', name: n}}" for n in range(9_000))
WRONG_NAMES = {
    "after": "".join(
        f"  {LONG}{n}: {{message: do {n}, after: [{LONG[1:]}-{n}]}}\n" for n in range(4_000)
    ),
    "fields": f"  e: {{forEach: {{a: [{{{FIELDS}}}]}}, message: '{TEXT}'}}\n",
    "templates": f"  e: {{forEach: {{a: [{{{SHORT_FIELDS}}}]}}, "
    f"message: {{content: do, entity_diff: {{add: [{STACKS}]}}}}}}\n",
}


@pytest.mark.parametrize("kind", WRONG_NAMES)
def test_similar_names_are_searched_quickly(tmp_path: Path, measure: Measure, kind: str) -> None:
    write_tasks(tmp_path, WRONG_NAMES[kind])
    ended = measure("validate")
    assert ended.code == 1
    assert ended.seconds < FEW_SECONDS


def test_configured_paths_with_similar_names(tmp_path: Path, measure: Measure) -> None:
    for number in range(3_000):
        (tmp_path / f"{LONG}{number}.yaml").touch()
    paths = ", ".join(f"'{LONG[1:]}-{number}.yaml'" for number in range(1_000))
    (tmp_path / "taskctl.toml").write_text(f"paths = [{paths}]\n")
    ended = measure("validate")
    assert (ended.code, set(ended.codes)) == (1, {"TC101", "TC830"})
    assert ended.seconds < FEW_SECONDS


# Dependencies


def test_a_cycle_of_all_tasks_is_reported_quickly(tmp_path: Path, measure: Measure) -> None:
    count = 20_000
    after = (f"  t{n}: {{message: x{n}, after: [t{(n + 1) % count}]}}\n" for n in range(count))
    write_tasks(tmp_path, "".join(after))
    ended = measure("validate")
    assert set(ended.codes) == {"TC320", "TC830"}
    assert ended.seconds < MAX_SECONDS


# Directories


@pytest.mark.reaches("FOLDER_DEPTH")
def test_directories_that_are_nested_too_deeply(tmp_path: Path, measure: Measure) -> None:
    write_tasks(tmp_path, "  a: {message: do it}\n")
    levels = limits.FOLDER_DEPTH + 1
    (tmp_path / "tasks" / "/".join(["a"] * levels)).mkdir(parents=True)
    measure("validate").assert_refused("TC101")


@pytest.mark.reaches("GIT_LIST_BYTES")
def test_listing_tracked_files_is_limited(tmp_path: Path, measure: Measure) -> None:
    (tmp_path / "prompt.md").write_text("Do it.")
    write_tasks(tmp_path, "  a: {message: {contentFile: ../prompt.md}}\n")
    measure("validate", GIT_LIST_BYTES=10).assert_refused("TC101")


# Files

FILES = {
    "MANIFEST_BYTES": ("tasks/a.yaml", "validate", "TC102"),
    "NAMED_FILE_BYTES": ("prompt.md", "validate", "TC102"),
    "CONFIG_BYTES": ("taskctl.toml", "validate", "TC805"),
    "SCHEMA_BYTES": ("s.json", "validate", "TC102"),
    "SAVED_PLAN_BYTES": ("x.plan", "apply x.plan --backend local", "TC101"),
    "STATE_FILE_BYTES": ("s.json", "state list --backend local --state s.json", "TC601"),
}


@pytest.mark.parametrize("limit", [pytest.param(n, marks=pytest.mark.reaches(n)) for n in FILES])
def test_the_size_of_a_file_is_limited(tmp_path: Path, measure: Measure, limit: str) -> None:
    name, command, code = FILES[limit]
    more = "{message: {contentFile: ../prompt.md}, expect: {data: ../s.json}}\n"
    write_tasks(tmp_path, f"  a: {more}")
    (tmp_path / "prompt.md").write_text("Do it.")
    (tmp_path / "s.json").write_text("{}")
    (tmp_path / "x.plan").write_text('{"formatVersion": 3,')
    with (tmp_path / name).open("ab") as file:
        file.truncate(getattr(limits, limit) + 1)
    measure(*command.split()).assert_refused(code)


# Options


@pytest.mark.reaches("PARALLELISM")
@pytest.mark.parametrize("given", ["257", "20000000"])
def test_parallelism_is_limited(tmp_path: Path, measure: Measure, given: str) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")
    measure("plan", "--parallelism", given).assert_refused("TC804")
    (tmp_path / "taskctl.toml").write_text(f"parallelism = {given}\n")
    measure("validate").assert_refused("TC805")
    (tmp_path / "taskctl.toml").write_text(f"parallelism = {limits.PARALLELISM}\n")
    assert measure("validate").code == 0
    assert measure("plan", "--backend", "local").code == 0


# Configuration


@pytest.mark.reaches("LINK_PARTS")
def test_the_links_in_configured_paths_are_limited(tmp_path: Path, measure: Measure) -> None:
    (tmp_path / "d").mkdir()
    for number in range(10):
        (tmp_path / f"l{number}").symlink_to("d/../" * 800 + ".")
    links = "/".join(f"l{number}" for number in range(10))
    paths = ", ".join(f"'{links}/{number}'" for number in range(1_000))
    (tmp_path / "taskctl.toml").write_text(f"paths = [{paths}]\n")
    measure("validate").assert_refused("TC805")


@pytest.mark.reaches("CONFIGS")
@pytest.mark.parametrize("more", [0, 1])
def test_the_configurations_of_a_repository_are_limited(
    tmp_path: Path, measure: Measure, more: int
) -> None:
    write_tasks(tmp_path, "  a: {message: do it}\n")
    (tmp_path / "taskctl.toml").touch()
    for number in range(limits.CONFIGS + more):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/taskctl.toml").touch()
    measured = measure("plan", "--backend", "local")
    assert (measured.code, measured.codes) == ((1, ["TC812"]) if more else (0, []))
    assert measured.seconds < FEW_SECONDS


def test_many_configurations_are_compared_with_many_manifests(
    tmp_path: Path, measure: Measure
) -> None:
    paths = ", ".join(f"'{number}'" for number in range(1_000))
    for number in range(50):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/taskctl.toml").write_text(f"paths = [{paths}]\n")
    for number in range(200):
        write_tasks(tmp_path, f"  k{number}: {{message: do {number}}}\n", f"{number}")
    measured = measure("plan", "--backend", "local")
    assert measured.code == 0
    assert measured.seconds < FEW_SECONDS
