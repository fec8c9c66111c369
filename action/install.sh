#!/bin/sh
# Installs taskctl into an environment of its own and puts it, alone, on PATH for later steps.
# INPUT_VERSION: a release of the package index; none: this checkout of the action.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
environment=$RUNNER_TEMP/taskctl/environment
bin=$RUNNER_TEMP/taskctl/bin

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo '::error title=taskctl::python3 is older than 3.11; add actions/setup-python before this step'
  exit 1
}
case ${INPUT_VERSION:-} in
  *[!0-9A-Za-z.]*)
    echo '::error title=taskctl::the input version is no version such as 0.1.0'
    exit 1
    ;;
esac

python3 -m venv --clear "$environment"
if [ -n "${INPUT_VERSION:-}" ]; then
  set -- "taskctl[fast]==$INPUT_VERSION"
else
  set -- --constraint "$here/constraints.txt" "${here}[fast]"
fi
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@"

mkdir -p "$bin"
ln -sf "$environment/bin/taskctl" "$bin/taskctl"
echo "$bin" >>"$GITHUB_PATH"
"$bin/taskctl" --version

# For the cache: where the state is, and a key that no other folder has.
state=${INPUT_WORKING_DIRECTORY:-.}/${TASKCTL_STATE:-taskctl.state.json}
{
  echo "state=$state"
  echo "cache-key=taskctl-state-$(printf %s "$state" | git hash-object --stdin)-"
} >>"$GITHUB_OUTPUT"
