#!/bin/sh
# Validate, plan and apply examples/tasks on the embedded service: no account, no network.
# `make demo` runs this; it leaves everything in .demo/, made anew each time.
set -eu

if ! command -v taskctl >/dev/null; then
  echo 'taskctl is not on PATH; this finds it:  make demo' >&2
  exit 1
fi

here=$(cd "$(dirname "$0")/.." && pwd)
demo=$here/.demo
rm -rf "$demo"
mkdir "$demo"
cp -R "$here/examples/tasks" "$demo/tasks"
cd "$demo"

# What a developer has set for the real service has no place here.
unset TASKCTL_STATE TASKCTL_ORG TASKCTL_SETTLE_TIME PULUMI_ACCESS_TOKEN
export TASKCTL_BACKEND=local

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }

echo 'The manifests of examples/tasks, in .demo/tasks; TASKCTL_BACKEND=local: the embedded service.'
say taskctl validate
taskctl validate

say taskctl plan
taskctl plan

say taskctl apply --yes
taskctl apply --yes >apply.txt
sed '1,/^Plan: /d' apply.txt # the same plan once more

say taskctl apply --yes '    # a second time'
taskctl apply --yes

cat <<'END'

Each task was made once and runs on the embedded service. What to try next:

  . .venv/bin/activate; cd .demo; export TASKCTL_BACKEND=local

  $EDITOR tasks/iam-narrowing.yaml      edit a prompt, add a task, break something; then
  taskctl validate                      every problem, with its place
  taskctl plan                          what changed is shown, what is new would be created
  taskctl apply                         asks first; kill it in the middle and apply again
  taskctl state list                    what is recorded
  rm .taskctl/local.state.json*         lose the record: the next plan finds the tasks again
                                        (but the one that says `adopt: false`)
  taskctl plan --format json            for another program

With Pulumi Cloud: README.md. What holds when something dies: docs/exactly-once.md.
END
