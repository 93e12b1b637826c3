#!/bin/sh
# Usage: check-breaking.sh BIN [REV]. Fails where the protos break a contract that REV had (buf, level FILE).
# REV defaults to the last release tag, and before the first release to the first commit that has protos.
set -eu
bin=$(cd "$1" && pwd)
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
rev=${2:-$(git -C "$root" describe --tags --abbrev=0 2>/dev/null ||
  git -C "$root" log --reverse --format=%H -- protos/onecode | head -1)}
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git -C "$root" archive "$rev" protos | tar -x -C "$before"
"$bin/buf" breaking "$root/protos" --against "$before/protos"
