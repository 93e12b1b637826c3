#!/bin/sh
# Usage: release.sh BIN [OUT]. Writes the contract of the next release, a FileDescriptorSet as text, to OUT: by default
# released/v1.txtpb, with which check-breaking.sh compares from then on. Fails where the protos break the last release's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/check-breaking.sh" "$1"
exec "$1/buf" build "$here" --exclude-source-info --output "${2:-$here/released/v1.txtpb}"
