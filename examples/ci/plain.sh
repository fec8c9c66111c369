#!/bin/sh
# Creates what is missing: for cron, or any CI with a shell. The state stays in the folder of the
# manifests, so run it on one machine, or see docs/ci-state.md.
#
#   plain.sh [FOLDER]       FOLDER: where tasks/ is; this one, if none is given
set -eu

: "${PULUMI_ACCESS_TOKEN:?a personal token of the machine user whose tasks these are}"
cd "${1:-.}"

plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

taskctl validate
taskctl plan --out "$plan"
# Just that plan, or nothing; waits for an apply that runs already.
taskctl apply --lock-timeout 10m "$plan"
