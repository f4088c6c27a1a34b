#!/usr/bin/env bash
# Propose an update to many projects: reads their addresses from standard input, one a line, and pushes a branch to each
# that is behind the template. Options go to `cruft update`, such as --checkout v0.2.0. It needs git and cruft.
set -uo pipefail

propose() {
    local address=$1 branch
    shift
    git clone --quiet "$address" . || return
    cruft update --skip-apply-ask "$@" >&2 || return
    # Cruft succeeds with conflicts, which have to be resolved by hand.
    [ -z "$(git ls-files --unmerged)$(find . -name '*.rej')" ] || return
    git add --all || return
    if git diff --quiet --cached; then
        echo "up to date: $address"
        return
    fi
    branch=template-$(sed -n 's/^  "commit": "\(.\{7\}\).*/\1/p' .cruft.json)
    if git ls-remote --exit-code --heads origin "$branch" > /dev/null; then
        echo "$branch was there: $address"
    else
        git commit --quiet --message "Follow the template" && git push --quiet origin "HEAD:refs/heads/$branch" || return
        echo "$branch: $address"
    fi
}

status=0
while read -r address || [ -n "$address" ]; do
    clone=$(mktemp -d)
    (cd "$clone" && propose "$address" "$@" < /dev/null) || { echo "by hand: $address"; status=1; }
    rm -rf "$clone"
done
exit $status
