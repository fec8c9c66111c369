#!/bin/sh
# Creates what is missing: for cron, or any CI system with a shell.
#
#   plain.sh [DIRECTORY]       where tasks/ is; defaults to the working directory
#
# taskctl.toml must set a shared state, so any machine can run this: state = "git:origin", for example
# (docs/state.md).
set -eu

# Nothing in the repository of DIRECTORY may be taken for a program or a module.
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
    case $gitdir in */modules/*) ;; *) break ;; esac # only a submodule is in another repository
  fi
  folder=${folder%/*}
done
while [ -n "$rest" ]; do
  case $(cd -P "${rest%%:*}" 2>/dev/null && pwd -P)/ in
    "$top"/*) echo "plain.sh: PATH must not lead into $top" >&2 && exit 1 ;;
  esac
  rest=${rest#*:}
done

plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

taskctl validate
taskctl plan --fail-on none --out "$plan"
# Exactly that plan, or nothing. Waits for an apply that is already running. Exits 1 if a task needs
# a person, after it has done the rest.
taskctl apply --lock-timeout 10m "$plan"
