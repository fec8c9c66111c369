#!/bin/sh
# The checks that need more than Python: shells and linters of other languages, a fresh install,
# the documents, packages, hooks and the action.
# Says what it ran and what it did not run, and why. In CI, as root on Debian, it installs what is
# missing. `make test-tools` runs this with the repository's .venv on PATH.
set -u

cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 left_out=0

check() { # check NAME COMMAND...: runs it, and shows its output where it fails
  name=$1
  shift
  if "$@" >"$work/said" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "passed    $name"
  else
    failed=$((failed + 1))
    echo "FAILED    $name"
    sed 's/^/          | /' "$work/said"
  fi
}

report() { # report NAME COMMAND...: as check, but a failure does not fail the run
  name=$1
  shift
  if "$@" >"$work/said" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "passed    $name"
  else
    echo "REPORTED  $name; to repeat it, run: $*"
    sed 's/^/          | /' "$work/said"
  fi
}

left_out() { # left_out NAME WHY
  left_out=$((left_out + 1))
  echo "NOT RUN   $1: $2"
}

has() { command -v "$1" >/dev/null 2>&1; }

provide() { # provide COMMAND...: Debian packages of the same name, where that is asked for
  [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && has apt-get || return 0
  missing=
  for command in "$@"; do
    has "$command" || missing="$missing $command"
  done
  [ -n "$missing" ] || return 0
  echo "installing$missing"
  # shellcheck disable=SC2086 # a list of names
  { apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing; } \
    >"$work/apt" 2>&1 || tail -n 3 "$work/apt"
}

# Completion: each shell loads what taskctl prints for it, and then offers commands and keys.

complete_in_bash() {
  _TASKCTL_COMPLETE=bash_source taskctl >"$work/c.bash" || return 1
  bash --norc -c '
    . "$1"; COMP_WORDS=(taskctl va) COMP_CWORD=1
    _taskctl_completion taskctl va taskctl && [ "${COMPREPLY[*]}" = validate ]' - "$work/c.bash"
}

complete_in_zsh() { at_a_terminal zsh; }

complete_in_fish() { at_a_terminal fish; }

at_a_terminal() { # the tests of completion that need this shell
  python -m pytest tests/acceptance/test_completion.py --no-cov -p no:cacheprovider -m tools -k "$1"
}

documents() { # what the tests mark as `tools`, other than completion and servers of states
  python -m pytest tests/acceptance --no-cov -p no:cacheprovider -n auto -m "tools and not soak" \
    --ignore=tests/acceptance/test_completion.py --ignore=tests/acceptance/test_state_errors.py \
    --ignore=tests/acceptance/test_full_state.py --ignore=tests/acceptance/test_lost_runner.py
}

# All workflows, where linters look for them: those of this repository, of docs/other-ci.md and of
# examples/ci/. The last use $1 instead of your-org/taskctl@COMMIT.

workflows() {
  rm -rf "$work/repo"
  mkdir -p "$work/repo"
  cp -R .github action.yml action "$work/repo/"
  awk -v to="$work/repo/.github/workflows/documented-" '
    /^```yaml$/ { inside = 1; count++; file = to count ".yml"; next }
    /^```$/ { inside = 0 }
    inside { print > file }' docs/other-ci.md
  for example in examples/ci/github-*.yml; do
    sed "s|uses: your-org/taskctl@COMMIT|uses: $1|" "$example" \
      >"$work/repo/.github/workflows/$(basename "$example")"
  done
  git -C "$work/repo" init -q
}

actionlint_at=github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

provide_actionlint() { # from PATH, else built from its source
  has actionlint && return 0
  why='neither actionlint nor go is installed'
  has go || return 1
  why="go could not build $actionlint_at"
  GOBIN=$work/bin go install "$actionlint_at" >/dev/null 2>&1 || return 1
  PATH=$work/bin:$PATH
}

lint_workflows() { # with this repository's action, so that its inputs are checked too
  workflows ./ && (cd "$work/repo" && actionlint .github/workflows/*.yml)
}

audit_workflows() { # with any commit, since the one of the release does not exist yet
  workflows "your-org/taskctl@$(printf '' | git hash-object --stdin)" &&
    zizmor --offline --no-progress "$work/repo"
}

# Open Policy Agent, which evaluates the example policy on plans.

opa_at=github.com/open-policy-agent/opa opa_version=v1.22.3

provide_opa() { # from PATH, else built from its source, once
  has opa && opa=$(command -v opa) && return 0
  opa=${XDG_CACHE_HOME:-$HOME/.cache}/taskctl-tests/opa-$opa_version/opa
  [ -x "$opa" ] && return 0
  why='neither opa nor go is installed'
  has go || return 1
  why="go could not build $opa_at@$opa_version"
  echo "building $opa_at@$opa_version"
  GOBIN=$(dirname "$opa") nice go install -trimpath -ldflags='-s -w' "$opa_at@$opa_version" >/dev/null 2>&1
}

# ajv in strict mode, which finds what a validator would ignore: unknown keywords, types that do not
# fit, properties that are required but not described.

provide_ajv() { # from npm, kept for the next run
  ajv=.cache/ajv/node_modules/.bin/ajv
  [ -x "$ajv" ] && return 0
  why='npm is not installed'
  has npm || return 1
  why='npm could not install ajv-cli'
  npm install --silent --no-fund --prefix .cache/ajv ajv-cli@5.0.0 ajv-formats@3.0.1 >/dev/null 2>&1
}

compile_schemas() { # in the one of manifests, `if`, `then` and `else` refer to what is beside them
  echo 'module.exports = (ajv) => ajv.addKeyword("patternErrorMessage") // of editors' >"$work/editor.js"
  for schema in schemas/*.schema.json; do
    more=
    [ "$schema" = schemas/manifest.schema.json ] &&
      more="--strict-types=false --strict-required=false -c $work/editor.js"
    # shellcheck disable=SC2086 # words
    "$ajv" compile --strict=true --allow-union-types -c ajv-formats $more -s "$schema" || return 1
  done
}

demo_with() {
  "$1" examples/demo.sh >"$work/demo" 2>&1 && grep -q 'Try it yourself' "$work/demo"
}

same_from_anywhere() { # the demo finds its place by itself
  (cd / && sh "$OLDPWD/examples/demo.sh")
}

install() {
  script/install "$work/prefix" && env -i HOME="$work" PATH=/usr/bin:/bin "$work/prefix/bin/taskctl" \
    -C examples validate tasks
}

# What the image must be able to do, without a builder: taskctl runs as a user without a name or HOME,
# in a clone of another user, with git configured as in the Dockerfile. Capabilities let it read the
# interpreter, wherever that is, but write nothing.

as_any_user() {
  setpriv --reuid=12345 --regid=12345 --clear-groups --inh-caps=+dac_read_search \
    --ambient-caps=+dac_read_search env -i PATH="$work/prefix/bin:/usr/bin:/bin" "$@"
}

any_user() ( # in a subshell, since it changes the directory
  sed -n 's/.*git config --system \(.*[^\ ]\).*/\1/p' Dockerfile | while read -r name value; do
    git config --file "$work/gitconfig" "$name" "$(echo "$value" | tr -d "'" | sed "s,^/workspace\$,$work/clone,")" || return 1
  done
  git config --file "$work/gitconfig" --add safe.directory "$work/origin.git" # the remote is local, too
  git init -q --bare "$work/origin.git" && git init -q "$work/clone" &&
    git -C "$work/clone" remote add origin "$work/origin.git" &&
    cp -R examples/tasks "$work/clone" && git -C "$work/clone" add tasks &&
    (cd "$work/clone" && taskctl state init git:origin --backend https://api.example.com) &&
    chown -R 1001:1001 "$work/clone" "$work/origin.git" && chmod 711 "$work" || return 1
  cd "$work/clone" || return 1
  as_any_user GIT_CONFIG_SYSTEM="$work/gitconfig" taskctl validate &&
    as_any_user GIT_CONFIG_SYSTEM="$work/gitconfig" \
      taskctl state list --state git:origin --backend https://api.example.com &&
    ! as_any_user taskctl state list --state git:origin --backend https://api.example.com
)

provide zsh fish shellcheck dash

for shell in bash zsh fish; do
  if has $shell; then
    check "completion in $shell" "complete_in_$shell"
  else
    left_out "completion in $shell" "$shell is not installed"
  fi
done

for shell in sh dash bash; do
  if has $shell; then
    check "the demo under $shell" demo_with $shell
  else
    left_out "the demo under $shell" "$shell is not installed"
  fi
done
check "the demo from another folder" same_from_anywhere

if has shellcheck; then
  check "shellcheck of all scripts" shellcheck examples/demo.sh examples/ci/plain.sh action/*.sh \
    script/environment.sh script/in-venv script/install script/lock tests/tools.sh .ci/run
else
  left_out "shellcheck of all scripts" "shellcheck is not installed"
fi

if provide_actionlint; then
  check "actionlint of all workflows" lint_workflows
else
  left_out "actionlint of all workflows" "$why"
fi
check "zizmor of all workflows" audit_workflows
check "hadolint of the Dockerfile" hadolint Dockerfile

provide chromium
for browser in chromium chromium-browser google-chrome google-chrome-stable ''; do
  has "$browser" && break
done
if [ -n "$browser" ]; then
  check "the html report in $browser" python -m tests.tools_html
else
  left_out "the html report in a browser" "no Chromium is installed"
fi

check "the screenshots of the documentation are current" python -m tests.screenshots --check

if provide_opa; then
  check "the policy on plans in docs/policy.md" python -m tests.tools_opa "$opa"
else
  left_out "the policy on plans in docs/policy.md" "$why"
fi

if provide_ajv; then
  check "ajv of all schemas, strictly" compile_schemas
else
  left_out "ajv of all schemas" "$why"
fi

check "script/install into an empty prefix" install
if has setpriv && [ "$(id -u)" = 0 ]; then
  check "taskctl as any user, without HOME, in the clone of another" any_user
else
  left_out "taskctl as any user" "this needs root and setpriv"
fi
check "documents, site, packages, hooks, the action and large inputs" documents

# Every run of `make test` has the same examples, so that nobody's change fails because of new ones.
seed=$(date +%s)
report "new random sequences of applies, kills and edits, seed $seed" \
  python -m pytest tests/crash/test_model.py::test_any_sequence --no-cov -p no:cacheprovider \
  --hypothesis-profile=new --hypothesis-seed="$seed"

# Shared state on real servers. What go and npm install is kept for the next run.

provide postgresql pgbouncer
check "state engines on real servers" python -m tests.tools_engines "$PWD/.cache/servers"
grep '^NOT RUN' "$work/said" || :

echo
[ "$left_out" = 0 ] || echo "$left_out not run, for the reasons above"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
