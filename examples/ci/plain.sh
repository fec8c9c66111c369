#!/bin/sh
# Validates the manifests, plans, and creates the missing tasks. For cron, or any CI system with a shell.
#
#   plain.sh [DIRECTORY]       the directory with tasks/; default: the working directory
#
# taskctl.toml must set a shared state, such as state = "git:origin", so that any machine can run this
# script (docs/state.md).
set -eu

# Never run a program or import a module from the repository that contains DIRECTORY.
unset BASH_ENV CDPATH PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONSTARTUP PYTHONPYCACHEPREFIX
case :$PATH: in
  *::* | *:[!/]*) echo 'plain.sh: PATH must consist of absolute paths' >&2 && exit 1 ;;
esac

: "${PULUMI_ACCESS_TOKEN:?set it to a personal access token of the machine user that owns the tasks}"
cd "${1:-.}"
folder=$(pwd -P) top=$(pwd -P) rest=$PATH:
while [ -n "$folder" ]; do
  if [ -e "$folder/.git" ]; then
    top=$folder
    [ -f "$folder/.git" ] || break
    read -r gitdir <"$folder/.git" || :
    case $gitdir in */modules/*) ;; *) break ;; esac # a submodule belongs to the repository around it
  fi
  folder=${folder%/*}
done
while [ -n "$rest" ]; do
  case $(cd -P "${rest%%:*}" 2>/dev/null && pwd -P)/ in
    "$top"/*) echo "plain.sh: PATH must not contain directories in $top" >&2 && exit 1 ;;
  esac
  rest=${rest#*:}
done

plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

taskctl validate
taskctl plan --fail-on none --out "$plan"
# Applies exactly that plan, or nothing. Waits for an apply that is already running. If a key is
# unresolved, apply does the rest and exits 1.
taskctl apply --lock-timeout 10m "$plan"
