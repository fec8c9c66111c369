#!/bin/sh
# Commits the state and its journal and pushes them, whatever came of the apply before: attempts
# without an outcome are in there, and the next run settles them. Nothing new: does nothing.
set -eu

cd "${INPUT_WORKING_DIRECTORY:-.}"
state=${TASKCTL_STATE:-taskctl.state.json}
if [ -z "$(git status --porcelain -- "$state" "$state.journal")" ]; then
  exit 0
fi

branch=$(git symbolic-ref --quiet --short HEAD) || {
  echo '::error title=taskctl::the state can be pushed to a branch only: check one out (actions/checkout, ref: main)'
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
echo '::error title=taskctl::the state could not be pushed. Let 150 seconds pass; the next apply then finds what this one made'
exit 1
