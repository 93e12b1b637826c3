#!/bin/sh
# Usage: check-breaking.sh BIN [PROTOS [AGAINST]]. Fails where protos break the contract of the last release (buf, level
# FILE), which released/v1.txtpb keeps. PROTOS are this directory's by default; AGAINST is anything that buf reads.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$1/buf" breaking "${2:-$here}" --config "$here/buf.yaml" --against "${3:-$here/released/v1.txtpb}"
