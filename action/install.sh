# shellcheck shell=sh
# Sourced by bash. Installs taskctl from this checkout of the action, and puts it, alone, on PATH
# for later steps. script/install keeps out of the workspace: nothing in the repository under review
# is executed.
set -eu
# shellcheck source=script/environment.sh
. "$ACTION/script/environment.sh"
root=$RUNNER_TEMP/taskctl

python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo '::error title=taskctl::python3 is older than 3.11; add actions/setup-python before this step'
  exit 1
}
mkdir -p "$root/bin"
set -- "$root"
case ${INPUT_STATE:-${TASKCTL_STATE-}} in postgresql:*) set -- --with postgresql "$@" ;; esac
PYTHON=python3 PATH="$root/bin:$PATH" /bin/sh "$ACTION/script/install" "$@"
echo "$root/bin" >>"$GITHUB_PATH"
