#!/bin/sh
# Creates what is missing: for cron, or any CI system with a shell. The state stays in the directory
# of the manifests, so run this on one machine, or see docs/ci-state.md.
#
#   plain.sh [DIRECTORY]       where tasks/ is; defaults to the working directory
set -eu

: "${PULUMI_ACCESS_TOKEN:?set it to a personal access token of the machine user that owns the tasks}"
cd "${1:-.}"

plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

taskctl validate
taskctl plan --out "$plan"
# Exactly that plan, or nothing. Waits for an apply that is already running.
taskctl apply --lock-timeout 10m "$plan"
