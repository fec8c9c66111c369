#!/bin/sh
# Commits and pushes the state and its journal, whether or not apply succeeded: they contain attempts
# with an unknown outcome, which the next run resolves. Does nothing if nothing has changed.
set -eu

cd "${INPUT_WORKING_DIRECTORY:-.}"
state=${TASKCTL_STATE:-taskctl.state.json}
if [ -z "$(git status --porcelain -- "$state" "$state.journal")" ]; then
  exit 0
fi

branch=$(git symbolic-ref --quiet --short HEAD) || {
  echo '::error title=taskctl::the state can only be pushed to a branch: check one out (actions/checkout, ref: main)'
  exit 1
}
for file in "$state" "$state.journal"; do
  if [ -e "$file" ] || [ -n "$(git ls-files -- "$file")" ]; then
    git add --all -- "$file"
  fi
done
GIT_AUTHOR_NAME=taskctl GIT_AUTHOR_EMAIL=taskctl@localhost
GIT_COMMITTER_NAME=taskctl GIT_COMMITTER_EMAIL=taskctl@localhost
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
git commit --quiet --message='Tasks: what was applied'

for try in 1 2 3; do
  if git pull --quiet --rebase --autostash origin "$branch" && git push --quiet origin "HEAD:$branch"; then
    exit 0
  fi
  git rebase --abort 2>/dev/null || true
  sleep "$try"
done
echo '::error title=taskctl::the state could not be pushed. Wait 150 seconds before the next apply, which then finds the tasks of this one'
exit 1
