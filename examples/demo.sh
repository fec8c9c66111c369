#!/bin/sh
# Validate, plan and apply examples/tasks on the embedded service: no account, no network.
# `make demo` runs this. Everything is in .demo/, which is recreated each time.
set -eu

if ! command -v taskctl >/dev/null; then
  echo 'taskctl is not on PATH; run:  make demo' >&2
  exit 1
fi

here=$(cd "$(dirname "$0")/.." && pwd)
demo=$here/.demo
rm -rf "$demo"
mkdir "$demo"
cp -R "$here/examples/tasks" "$demo/tasks"
cd "$demo"
# A repository of its own, which tracks the files that the manifests name.
git init --quiet
git add tasks

# Ignore settings for the real service.
unset TASKCTL_STATE TASKCTL_ORG TASKCTL_SETTLE_TIME PULUMI_ACCESS_TOKEN
export TASKCTL_BACKEND=local TASKCTL_CACHE_DIR="$demo" # inside a repository: no cache

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }

echo 'The manifests of examples/tasks, applied to an embedded service that stands in for Pulumi Cloud.'
say taskctl validate
taskctl validate

say 'taskctl plan                  # only the keys; the whole plan is in .demo/plan.txt'
taskctl plan >plan.txt 2>notes.txt
grep -E '^(  \+ .*tasks/|      [0-9]+ tasks:|Plan:)' plan.txt

say 'taskctl apply --yes --wait    # first the pilot, then the rest; the whole output is in .demo/apply.txt'
taskctl apply --yes --wait --interval 1s >apply.txt 2>>notes.txt
tail -n 2 apply.txt

say 'taskctl apply --yes           # again'
taskctl apply --yes 2>>notes.txt | tail -n 3

say 'taskctl results "upgrade-*"   # the results of the upgrades'
taskctl results 'upgrade-*'

cat <<'END'

Each task was created exactly once. Try it yourself:

  . .venv/bin/activate; cd .demo; export TASKCTL_BACKEND=local
  $EDITOR tasks/iam-narrowing.yaml    # edit a prompt, add a task, break something, then:
  taskctl validate; taskctl plan; taskctl apply

END
