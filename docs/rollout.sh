#!/usr/bin/env bash
# Propose an update to many projects: pushes a branch to each that is behind the template at BACKEND_TEMPLATE.
# It takes the repositories that repo-review takes, paths of clones and gh:OWNER/NAME, or addresses, and after `--` options
# of `cruft update`, such as --checkout v1.0.0. It needs git, cruft and python3.
set -uo pipefail

# Hooks of the recorded template run with the rights of the caller, and recorded answers are rendered as templates.
check_record() {
    python3 -I - "$BACKEND_TEMPLATE" << 'END'
import json, re, sys

try:
    with open(".cruft.json", encoding="utf-8") as file:
        record = json.load(file)
    answers = {name: value for name, value in record["context"]["cookiecutter"].items() if name[0] != "_"}
    folder, commit, slug = (str(value) for value in (record.get("directory"), record["commit"], answers["project_slug"]))
except FileNotFoundError:
    sys.exit("it has no .cruft.json")
except (ValueError, TypeError, LookupError, AttributeError):
    sys.exit(".cruft.json can't be read")
if record["template"] != sys.argv[1]:
    sys.exit(f"its template is {record['template']!a}")
safe = re.fullmatch(r"(?!.*\.\.)\w[\w./-]*", folder) and re.fullmatch(r"[0-9a-f]+", commit)
if not (safe and re.fullmatch(r"[a-z0-9-]+", slug)) or re.search(r"\{[{%#]", json.dumps(answers)):
    sys.exit(".cruft.json holds what no project of the template records")
END
}

propose() {
    local address=$1 reason conflicts branch
    shift
    case $address in gh:*) address=https://github.com/${address#gh:}.git ;; esac
    if [ -d "$address" ]; then
        address=$(git -C "$address" config remote.origin.url) || by_hand "it has no remote origin"
    fi
    git clone --quiet -- "$address" "$clone" && cd "$clone" || by_hand "it can't be cloned"
    reason=$(check_record 2>&1) || by_hand "$reason"
    cruft update --skip-apply-ask "$@" >&2 || by_hand "cruft can't update it"
    # Cruft succeeds with conflicts.
    conflicts=$(git diff --name-only --diff-filter=U && git ls-files --others '*.rej')
    [ -z "$conflicts" ] || by_hand "it has conflicts in" $conflicts
    git add --all || by_hand "git can't add the update"
    if git diff --quiet --cached; then
        echo "up to date: $repository"
        return
    fi
    branch=template-$(sed -n 's/^  "commit": "\(.\{7\}\).*/\1/p' .cruft.json)
    if git ls-remote --exit-code --heads origin "$branch" > /dev/null; then
        echo "$branch was there: $repository"
    else
        git commit --quiet --message "Update from the template" || by_hand "git can't commit the update"
        git push --quiet origin "HEAD:refs/heads/$branch" || by_hand "git can't push $branch"
        echo "$branch: $repository"
    fi
}

by_hand() {
    echo "by hand: $repository: $*"
    exit 1
}

: "${BACKEND_TEMPLATE:?must be the address of the template}"
repositories=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    repositories+=("$1")
    shift
done
status=0
for repository in "${repositories[@]}"; do
    clone=$(mktemp -d)
    (propose "$repository" "${@:2}" < /dev/null) || status=1
    rm -rf "$clone"
done
exit $status
