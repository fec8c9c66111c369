"""No way into taskctl in CI runs a file of the repository, whatever the job's environment names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.action_runner import Runner, quick_python
from tests.support.checkout import ROOT, checkout, git
from tests.support.doc_blocks import environment, shell
from tests.support.fault_server import FaultServer
from tests.support.run_workflow import pipeline_of
from tests.support.sandbox import TOKEN, as_tasks, prompts

pytestmark = pytest.mark.tools

MODULES = ("sitecustomize", "usercustomize", "click", "json", "subprocess", "pip", "venv")
PROGRAMS = ("bash", "sh", "git", "ssh", "python", "python3", "taskctl", "env", "cat", "mkdir")


class Trap:
    """A clone with everything that a shell, Python, git or pip could pick up. What runs leaves the
    tokens that it sees in `caught`."""

    def __init__(self, folder: Path, clone: Path) -> None:
        self.caught = folder / "caught"
        self.clone = clone
        to = f"open({str(self.caught)!r}, 'a')"
        module = f"import os\n{to}.write(__name__ + repr(dict(os.environ)))\n"
        for name in MODULES:
            (clone / f"{name}.py").write_text(module)
        (clone / "reconciler").mkdir()
        for name in ("__init__", "__main__"):
            (clone / "reconciler" / f"{name}.py").write_text(module)
        (clone / "site.pth").write_text(f"import os; {to}.write('pth')\n")
        (clone / "pip.conf").write_text("[global]\nindex-url = https://packages.example.invalid/\n")
        script = f'echo "$0 $PULUMI_ACCESS_TOKEN" >>"{self.caught}"\n'
        (clone / "bash_env").write_text(script)
        settings = (
            f'[protocol]\n\tallow = always\n[url "ext::{clone}/git "]\n\tinsteadOf = {folder}/\n'
        )
        for name in (".gitconfig", "config/git/config"):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text(settings)
        (clone / "bin").mkdir()
        for name in PROGRAMS:
            for path in (clone / name, clone / "bin" / name):
                path.write_text(f"#!/bin/sh\n{script}exit 1\n")
                path.chmod(0o755)

    def environment(self, path: str) -> dict[str, str]:
        """What a job may have set; `path` has what it needs."""
        here = str(self.clone)
        return {
            "PATH": f":.:bin:{here}:{here}/bin:{here}/tasks/../bin:{path}",
            "PYTHONPATH": f".:{here}",
            "PYTHONUSERBASE": ".",
            "PYTHONPYCACHEPREFIX": ".",
            "BASH_ENV": "bash_env",
            "ENV": "./bash_env",
            "LD_LIBRARY_PATH": f".:{here}",
            "PIP_CONFIG_FILE": "pip.conf",
            "GIT_EXEC_PATH": f"{here}/bin",
            "GIT_TEMPLATE_DIR": here,
            "SSL_CERT_FILE": "pip.conf",
            "HOME": here,
            "XDG_CONFIG_HOME": f"{here}/config",
            "GIT_CONFIG_GLOBAL": ".gitconfig",
            "OPENSSL_CONF": "pip.conf",
            "AWS_CONFIG_FILE": f"{here}/pip.conf",
        }

    def assert_empty(self) -> None:
        assert not self.caught.exists(), self.caught.read_text()


@pytest.fixture
def trap(tmp_path: Path, server: FaultServer) -> Trap:
    """In a clone with two tasks, whose state is in git."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "work")
    work = tmp_path / "work"
    (work / "tasks").mkdir()
    tasks = {"version": 1, "orgName": "acme", "tasks": as_tasks(prompts(2))}
    (work / "tasks" / "all.yaml").write_text(json.dumps(tasks))
    (work / "taskctl.toml").write_text('state = "git:origin"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", "state", "init"],
        cwd=work,
        env={**os.environ, "PULUMI_ACCESS_TOKEN": TOKEN, "TASKCTL_BACKEND": server.url},
        check=False,
    )
    assert ended.returncode == 0
    return Trap(tmp_path, work)


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("action"))


def test_the_action_runs_nothing_of_the_checkout(
    action: Path, trap: Trap, server: FaultServer, tmp_path: Path
) -> None:
    path = f"{quick_python(tmp_path / 'shim')}:{os.environ['PATH']}"
    (trap.clone / "libtinfo.so.6").write_text("the shell cannot load this")
    env = {**trap.environment(path), "TASKCTL_BACKEND": server.url, "LD_AUDIT": "bin/cat"}
    runner = Runner(tmp_path / "runner", trap.clone, pull_request=None, env=env)
    ran = runner.composite(action, command="apply")
    trap.assert_empty()
    assert (ran.code, ran.outputs["creates"]) == (0, "2"), ran.said
    assert "ld.so" not in ran.said


def test_gitlab_jobs_run_nothing_of_the_checkout(
    action: Path, trap: Trap, server: FaultServer, tmp_path: Path
) -> None:
    """The image is one whose programs are in DIRECTORY/usr/bin, too."""
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    text = text.replace("/opt/taskctl", f"{tmp_path}/opt").replace("/usr/local", f"{tmp_path}/usr")
    jobs = pipeline_of(text)
    (tmp_path / "usr").mkdir()
    quick_python(tmp_path / "usr" / "bin")
    commit = git(action, "rev-parse", "HEAD").strip()
    env = {**environment(tmp_path), **trap.environment(os.environ["PATH"])}
    env |= {"TASKCTL_REPOSITORY": str(action), "TASKCTL_COMMIT": commit}
    env |= {"TASKCTL_BACKEND": server.url, "PULUMI_ACCESS_TOKEN": TOKEN}
    env |= {"CI_PROJECT_DIR": str(trap.clone)}
    script = [*jobs[".taskctl"]["before_script"], "taskctl apply --yes"]
    ended = shell("\n".join(script), trap.clone, env, "/bin/sh")
    trap.assert_empty()
    assert ended.returncode == 0, ended.stderr
    assert "2 created" in ended.stdout


def test_an_installed_taskctl_runs_nothing_of_the_directory(
    action: Path, trap: Trap, server: FaultServer, tmp_path: Path
) -> None:
    path = f"{quick_python(tmp_path / 'shim')}:{os.environ['PATH']}"
    env = {**environment(tmp_path), **trap.environment(path), "CI_PROJECT_DIR": str(trap.clone)}
    env |= {"TASKCTL_BACKEND": server.url, "PULUMI_ACCESS_TOKEN": TOKEN}
    install = f"{action}/script/install {tmp_path}/prefix && {tmp_path}/prefix/bin/taskctl apply -y"
    ended = shell(install, trap.clone, env, "/bin/sh")
    trap.assert_empty()
    assert ended.returncode == 0, ended.stderr
    assert "2 created" in ended.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_WORKSPACE": "{here}"},
        {"CI_PROJECT_DIR": "{here}/"},
        {"BUILDKITE_BUILD_CHECKOUT_PATH": "{here}/../work"},
        {"CIRCLE_WORKING_DIRECTORY": "~/work"},
        {"BUILD_SOURCESDIRECTORY": "{here}"},
        {"JENKINS_URL": "https://ci.example/", "WORKSPACE": "{here}"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_every_system_says_where_the_checkout_is(
    trap: Trap, tmp_path: Path, variables: dict[str, str]
) -> None:
    env = {**environment(tmp_path), **trap.environment("/usr/bin:/bin"), "HOME": str(tmp_path)}
    env |= {name: value.format(here=trap.clone) for name, value in variables.items()}
    names = ("PATH", "LD_LIBRARY_PATH", "XDG_CONFIG_HOME", "AWS_CONFIG_FILE", "HOME")
    said = " ".join(f"{name}=${{{name}-}}" for name in names)
    script = f'. {ROOT}/script/environment.sh; echo "{said}"'
    ended = shell(script, tmp_path, {**env, "LD_LIBRARY_PATH": str(trap.clone)}, "/bin/sh")
    kept = f"HOME={tmp_path}\n"
    assert (
        ended.stdout
        == f"PATH=/usr/bin:/bin LD_LIBRARY_PATH= XDG_CONFIG_HOME= AWS_CONFIG_FILE= {kept}"
    )


@pytest.mark.parametrize("where", [".", "tasks", "module"])
def test_without_such_a_variable_it_is_the_repository_of_the_working_directory(
    trap: Trap, tmp_path: Path, where: str
) -> None:
    """A submodule belongs to the repository around it."""
    (trap.clone / "module").mkdir()
    (trap.clone / "module" / ".git").write_text("gitdir: ../.git/modules/module\n")
    env = {**environment(tmp_path), **trap.environment("/usr/bin:/bin")}
    script = f". {ROOT}/script/environment.sh; echo $PATH ${{HOME-none}} ${{XDG_CONFIG_HOME-none}}"
    ended = shell(script, trap.clone / where, env, "/bin/sh")
    assert ended.stdout == "/usr/bin:/bin none none\n"
    (trap.clone / "module" / ".git").write_text("gitdir: /elsewhere/.git/worktrees/module\n")
    ended = shell(script, trap.clone / where, env, "/bin/sh")
    assert (" none " in ended.stdout) is (where != "module")


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "-C", "{here}"],
        ["-C", "work", "plan"],
        ["-C{here}/tasks"],
        ["-qC", "work/module"],
        ["-qvCwork"],
        ["plan", "{here}/tasks/all.yaml"],
        ["--backend", "local", "plan", "work/tasks"],
    ],
    ids="_".join,
)
def test_so_is_the_repository_that_an_argument_names(
    trap: Trap, tmp_path: Path, words: list[str]
) -> None:
    """taskctl may be started elsewhere, with -C or a PATH."""
    (trap.clone / "module").mkdir()
    (trap.clone / "module" / ".git").write_text("gitdir: ../.git/modules/module\n")
    env = {**environment(tmp_path), **trap.environment("/usr/bin:/bin")}
    script = f". {ROOT}/script/environment.sh; echo $PATH ${{HOME-none}} $#"

    def ran(*words: str) -> str:
        program = ["/bin/sh", "-c", script, "taskctl", *words]
        return subprocess.check_output(program, cwd=tmp_path, env=env, text=True)

    assert ran("plan", "-", "-C", "nowhere") != "/usr/bin:/bin none 4\n"
    assert ran(*(w.format(here=trap.clone) for w in words)) == f"/usr/bin:/bin none {len(words)}\n"


GIT_COMMANDS = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_PROXY_COMMAND")


@pytest.mark.parametrize(
    ("command", "is_kept"),
    [
        ("ssh -i /etc/key -o BatchMode=yes", True),
        ("/usr/bin/ssh -F/dev/null -oIdentityFile=/etc/key", True),
        ("./ssh", False),
        ("bin/ssh", False),
        ("{here}/bin/ssh", False),
        ("/usr/bin/../..{here}/bin/ssh", False),
        ("/bin/sh bash_env", False),
        ("ssh -F config/git/config", False),
        ("ssh -F{here}/config/git/config", False),
        ("ssh -oProxyCommand=./ssh", False),
        ("'{here}/ssh'", False),
        ("ssh -Fbash_env", False),
        ("ssh -F'bash_env'", False),
        ('ssh "-F" "bash_env"', False),
        ("ssh -F\\bash_env", False),
        ("'ssh' -i \"/etc/key\"", True),
        ("sh bash_env;", False),
        ("sh<bash_env", False),
        ("ssh -F$HOME/key", False),
    ],
)
def test_no_program_of_git_is_in_the_checkout(
    trap: Trap, tmp_path: Path, command: str, *, is_kept: bool
) -> None:
    """With a state in git, it would see the token."""
    given = command.format(here=trap.clone)
    env = environment(tmp_path) | dict.fromkeys(GIT_COMMANDS, given)
    env |= {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "c"}
    env |= {"GIT_CONFIG_KEY_1": "core.sshCommand", "GIT_CONFIG_VALUE_1": given}
    script = f". '{ROOT}/script/environment.sh'; env; git config core.sshCommand; :"
    program = ["/bin/sh", "-c", script, "taskctl"]
    printed = subprocess.check_output(program, cwd=trap.clone, env=env, text=True).splitlines()
    for name in GIT_COMMANDS:
        assert (f"{name}={given}" in printed) is is_kept
    assert (printed[-1] == given) is is_kept
    assert "GIT_CONFIG_KEY_0=user.name" in printed


LS_REMOTE = "git ls-remote ssh://git@127.0.0.1:1/x"
FILL = "printf 'url=https://u@127.0.0.1\\n\\n' | git credential fill"
COMMIT = "git commit --allow-empty -m x"
HOOKS = tuple(
    f"{folder}/{name}"
    for folder in ("hooks", "template/hooks")
    for name in ("pre-commit", "post-checkout", "reference-transaction")
)
WAYS: dict[str, tuple[dict[str, str], str]] = {
    "core.sshCommand": ({"core.sshCommand": "{it}"}, LS_REMOTE),
    "CORE.SSHCOMMAND": ({"CORE.SSHCOMMAND": "{it}"}, LS_REMOTE),
    "include.path": ({"include.path": "{here}/included"}, LS_REMOTE),
    "includeIf": ({"includeIf.gitdir:**.path": "{here}/included"}, LS_REMOTE),
    "credential.helper": ({"credential.helper": "{it}"}, FILL),
    "credential.URL.helper": ({"credential.https://127.0.0.1.helper": "{it}"}, FILL),
    "core.askPass": ({"core.askPass": "{it}"}, FILL),
    "core.gitProxy": ({"core.gitProxy": "{it}"}, "git ls-remote git://127.0.0.1:1/x"),
    "url.ext": (
        {"url.ext::{it} .insteadOf": "https://", "protocol.ext.allow": "always"},
        "git ls-remote https://127.0.0.1:1/x",
    ),
    "remote.uploadpack": (
        {"remote.other.url": "{here}", "remote.other.uploadpack": "{it}"},
        "git ls-remote other",
    ),
    "alias": ({"alias.own": "!{it}"}, "git own"),
    "core.editor": ({"core.editor": "{it}"}, "git config --edit"),
    "sequence.editor": ({"sequence.editor": "{it}"}, "git rebase -i --root --autostash"),
    "diff.external": ({"diff.external": "{it}"}, "git diff --cached"),
    "core.hooksPath": ({"core.hooksPath": "{here}/hooks"}, COMMIT),
    "init.templateDir": (
        {"init.templateDir": "{here}/template"},
        f"git init -q {{here}}/new && cd {{here}}/new && {COMMIT}",
    ),
    "core.fsmonitor": ({"core.fsmonitor": "{it}"}, "git status"),
    "gpg.program": ({"gpg.program": "{it}", "commit.gpgSign": "true"}, COMMIT),
    "filter.clean": (
        {"core.attributesFile": "{here}/attributes", "filter.own.clean": "{it}"},
        "git add tasks",
    ),
    "GIT_CONFIG_PARAMETERS": ({"GIT_CONFIG_PARAMETERS": "'core.sshCommand={it}'"}, LS_REMOTE),
    "GIT_CONFIG_COUNT": (
        {
            "GIT_CONFIG_COUNT": "+1",
            "GIT_CONFIG_KEY_0": "core.sshCommand",
            "GIT_CONFIG_VALUE_0": "{it}",
        },
        LS_REMOTE,
    ),
    "GIT_CONFIG_GLOBAL": ({"GIT_CONFIG_GLOBAL": "{here}/included"}, LS_REMOTE),
    "GIT_CONFIG_SYSTEM": ({"GIT_CONFIG_SYSTEM": "{here}/included"}, LS_REMOTE),
    "GIT_ALLOW_PROTOCOL": ({"GIT_ALLOW_PROTOCOL": "ext:https"}, "git ls-remote 'ext::{it} x'"),
    "GIT_DIR": ({"GIT_DIR": "{here}/evil.git"}, LS_REMOTE),
    "GIT_SSH": ({"GIT_SSH": "{it}"}, LS_REMOTE),
    "GIT_SSH_COMMAND": ({"GIT_SSH_COMMAND": "{it}"}, LS_REMOTE),
    "GIT_ASKPASS": ({"GIT_ASKPASS": "{it}"}, FILL),
    "SSH_ASKPASS": ({"SSH_ASKPASS": "{it}"}, FILL),
    "GIT_PROXY_COMMAND": ({"GIT_PROXY_COMMAND": "{it}"}, "git ls-remote git://127.0.0.1:1/x"),
    "GIT_EXTERNAL_DIFF": ({"GIT_EXTERNAL_DIFF": "{it}"}, "git diff --cached"),
    "GIT_EDITOR": ({"GIT_EDITOR": "{it}"}, "git config --edit"),
    "VISUAL": ({"VISUAL": "{it}", "TERM": "vt100"}, "git config --edit"),
    "EDITOR": ({"EDITOR": "{it}"}, "git config --edit"),
    "GIT_SEQUENCE_EDITOR": ({"GIT_SEQUENCE_EDITOR": "{it}"}, "git rebase -i --root --autostash"),
    "GIT_TEMPLATE_DIR": (
        {"GIT_TEMPLATE_DIR": "{here}/template"},
        f"git init -q {{here}}/new && cd {{here}}/new && {COMMIT}",
    ),
    "GIT_EXEC_PATH": ({"GIT_EXEC_PATH": "{here}/bin"}, "git own"),
}
"""Ways in which git runs a program: settings or variables, and a command that uses them."""


def configured(settings: dict[str, str]) -> dict[str, str]:
    """Settings of git as variables; names of variables stay as they are."""
    env = {name: value for name, value in settings.items() if "." not in name}
    pairs = [(name, value) for name, value in settings.items() if "." in name]
    for number, (name, value) in enumerate(pairs):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {**env, "GIT_CONFIG_COUNT": str(len(pairs))} if pairs else env


class OwnProgram:
    """A repository with a program that leaves `caught` beside it."""

    def __init__(self, folder: Path) -> None:
        self.here, self.caught = folder / "work", folder / "caught"

    def filled(self, text: str) -> str:
        return text.replace("{here}", str(self.here)).replace("{it}", f"{self.here}/it")

    def runs(self, script: str, env: dict[str, str]) -> bool:
        """Whether a shell script runs the program."""
        self.caught.unlink(missing_ok=True)
        shutil.rmtree(self.here / "new", ignore_errors=True)
        program = ["/bin/sh", "-c", self.filled(script), "taskctl"]
        subprocess.run(
            program,
            cwd=self.here,
            env={name: self.filled(value) for name, value in env.items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return self.caught.exists()


@pytest.fixture(scope="module")
def own_program(tmp_path_factory: pytest.TempPathFactory) -> OwnProgram:
    own = OwnProgram(tmp_path_factory.mktemp("programs"))
    work = own.here
    git(work.parent, "init", "--quiet", "work")
    (work / "tasks").mkdir()
    (work / "tasks" / "all.yaml").write_text("version: 1\n")
    for name in ("it", *HOOKS, "bin/git-own", "bin/git-remote-https"):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n: >'{own.caught}'\nexit 1\n")
        path.chmod(0o755)
    (work / "included").write_text(f"[core]\n\tsshCommand = {work}/it\n")
    (work / "attributes").write_text("* filter=own\n")
    git(work, "add", "it", "included")
    git(work, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x")
    git(work, "add", "attributes")
    git(work, "init", "--quiet", "--bare", "evil.git")
    git(work / "evil.git", "config", "core.sshCommand", f"{work}/it")
    return own


@pytest.fixture
def quiet(tmp_path: Path) -> dict[str, str]:
    """An environment without editors, in which git asks nothing."""
    author = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    env = environment(tmp_path, **author, GIT_TERMINAL_PROMPT="0")
    (tmp_path / "bin").mkdir()
    for name in ("vi", "editor"):  # what git runs if no editor is set
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return env | {"PATH": f"{tmp_path}/bin:{env['PATH']}"}


@pytest.mark.parametrize("way", WAYS)
def test_no_setting_of_git_in_the_environment_runs_a_program(
    own_program: OwnProgram, quiet: dict[str, str], way: str
) -> None:
    """Each way does run it without the script."""
    settings, command = WAYS[way]
    env = quiet | configured(settings)
    assert own_program.runs(command, env)
    assert not own_program.runs(f". '{ROOT}/script/environment.sh'\n{command}", env)


@pytest.mark.parametrize("way", WAYS)
def test_no_setting_of_git_runs_a_program_before_gitlab_has_the_script(
    own_program: OwnProgram, quiet: dict[str, str], tmp_path: Path, way: str
) -> None:
    text = (ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8")
    target = tmp_path / "opt"
    lines = pipeline_of(text.replace("/opt/taskctl", str(target)))[".taskctl"]["before_script"]
    start = "\n".join(lines[: lines.index(f". {target}/script/environment.sh")])
    env = quiet | configured(WAYS[way][0])
    commit = git(own_program.here, "rev-parse", "HEAD").strip()
    for source in ("{here}", "ssh://git@127.0.0.1:1/x", "git://127.0.0.1:1/x", "https://[::]:1/x"):
        shutil.rmtree(target, ignore_errors=True)
        env |= {"TASKCTL_REPOSITORY": source, "TASKCTL_COMMIT": commit}
        assert not own_program.runs(start, env)
        assert (target / "it").exists() is (source == "{here}")


HARMLESS = {
    *("user.name", "user.email", "user.useConfigOnly", "safe.directory", "color.ui"),
    *("http.extraHeader", "http.proxy", "http.version", "http.sslVerify", "http.postBuffer"),
    *("http.userAgent", "protocol.version", "init.defaultBranch"),
}


def test_only_settings_known_to_be_harmless_pass(trap: Trap, tmp_path: Path) -> None:
    """Of all names that this version of git documents, with a program of the checkout as value."""
    listed = (
        subprocess.check_output(["git", "help", "--config"], text=True).split("\n\n")[0].split()
    )
    names = [name for name in listed if "." in name]
    kept = kept_settings(trap, tmp_path, dict.fromkeys(names, f"{trap.clone}/ssh"))
    assert len(names) > 400
    assert {name for name in kept if not name.startswith("advice.")} == HARMLESS & {*names}


def test_harmless_settings_of_urls_and_files_pass(trap: Trap, tmp_path: Path) -> None:
    settings = {
        "http.https://git.example/.extraheader": "AUTHORIZATION: basic x",
        "url.https://x:y@git.example/.insteadOf": "ssh://git@git.example/",
        "url.git@git.example:.pushinsteadof": "https://git.example/",
        "http.sslCAInfo": "/etc/ssl/certs/ca-certificates.crt",
        "core.sshcommand": "ssh -i /etc/key",
    }
    harmful = {
        "url.ext::sh -c x.https://.insteadOf": "https://",
        "url.file:///srv/x/.insteadOf": "https://",
        "http.sslKey": f"{trap.clone}/pip.conf",
    }
    assert kept_settings(trap, tmp_path, {**settings, **harmful}) == {*settings}


def test_what_was_removed_is_named_in_one_line(trap: Trap, tmp_path: Path) -> None:
    """Without values and URLs, which may contain passwords, and only once."""
    settings = {
        "user.name": "x",
        "credential.https://user:pa.ss@git.example/.helper": "store",
        "include.path": "x",
        "core.askPass": f"{trap.clone}/ssh",
        "alias.a\n::error::b": "!x",
    }
    env = environment(tmp_path) | configured(settings) | {"GIT_SSH_COMMAND": f"{trap.clone}/ssh"}
    script = f". '{ROOT}/script/environment.sh'; . '{ROOT}/script/environment.sh'"
    ended = shell(script, trap.clone, env, "/bin/sh")
    removed = "GIT_SSH_COMMAND credential.helper include.path core.askPass alias.*"
    assert ended.stderr == f"taskctl: ignored git settings of the environment: {removed}\n"
    assert shell(script, trap.clone, environment(tmp_path), "/bin/sh").stderr == ""


def kept_settings(trap: Trap, home: Path, settings: dict[str, str]) -> set[str]:
    env = environment(home) | configured(settings)
    program = ["/bin/sh", "-c", f". '{ROOT}/script/environment.sh'; env", "taskctl"]
    printed = subprocess.check_output(program, cwd=trap.clone, env=env, text=True).splitlines()
    kept = {line.partition("=")[2] for line in printed if line.startswith("GIT_CONFIG_KEY_")}
    return kept - {"taskctl.removed"}


def test_the_installation_gets_only_the_variables_that_it_needs(
    action: Path, tmp_path: Path
) -> None:
    shim = quick_python(tmp_path / "shim")
    python = (shim / "python3").read_text()
    (shim / "python3").write_text(python.replace("\n", f'\n/usr/bin/env >>"{tmp_path}/env"\n', 1))
    env = environment(tmp_path, PULUMI_ACCESS_TOKEN=TOKEN, PIP_INDEX_URL="https://index.example")
    env |= {"PIP_CONFIG_FILE": "pip.conf", "PIP_REQUIRE_VENV": "1", "PYTHON": str(shim / "python3")}
    ended = shell(f"{action}/script/install {tmp_path}/prefix", tmp_path, env)
    assert ended.returncode == 0, ended.stderr
    given = (tmp_path / "env").read_text()
    assert "PIP_INDEX_URL=https://index.example" in given
    for name in ("PULUMI_ACCESS_TOKEN", "PIP_CONFIG_FILE", "PIP_REQUIRE_VENV"):
        assert name not in given


def test_the_plain_script_refuses_relative_entries_of_path(trap: Trap, tmp_path: Path) -> None:
    env = {**environment(tmp_path), **trap.environment(os.environ["PATH"])}
    env["PULUMI_ACCESS_TOKEN"] = TOKEN
    ended = shell(f"/bin/sh {ROOT}/examples/ci/plain.sh", trap.clone, env, "/bin/sh")
    trap.assert_empty()
    assert (ended.returncode, "absolute paths" in ended.stderr) == (1, True)


@pytest.mark.parametrize("where", [".", "tasks"])
def test_the_plain_script_refuses_entries_of_path_in_the_repository(
    trap: Trap, tmp_path: Path, where: str
) -> None:
    env = environment(tmp_path, PULUMI_ACCESS_TOKEN=TOKEN)
    env["PATH"] = f"{trap.clone}/bin:{os.environ['PATH']}"
    ended = shell(f"/bin/sh {ROOT}/examples/ci/plain.sh {where}", trap.clone, env, "/bin/sh")
    trap.assert_empty()
    refusal = f"PATH must not contain directories in {trap.clone}"
    assert (ended.returncode, refusal in ended.stderr) == (1, True)


def test_git_does_not_follow_variables_to_another_repository(
    trap: Trap, server: FaultServer, tmp_path: Path
) -> None:
    """As a hook of another repository would have them."""
    git(tmp_path, "init", "--quiet", "other")
    env = {**os.environ, "PULUMI_ACCESS_TOKEN": TOKEN, "TASKCTL_BACKEND": server.url}
    env |= {"GIT_DIR": f"{tmp_path}/other/.git", "GIT_EXEC_PATH": f"{trap.clone}/bin"}
    env["GIT_INDEX_FILE"] = f"{tmp_path}/none"
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "reconciler", "state", "list"],
        cwd=trap.clone,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    trap.assert_empty()
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
