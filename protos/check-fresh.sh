#!/bin/sh
# Usage: check-fresh.sh PROTOC BIN STUBS. Fails where the committed stubs are not what the protos generate today.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$(dirname "$0")/generate.sh" "$1" "$2" "$fresh"
diff --recursive --unified --exclude=__init__.py --exclude=py.typed --exclude=__pycache__ "$fresh/onecode" "$3/onecode" ||
  { echo "the stubs are stale: run 'make protos' and commit the result" >&2; exit 1; }
