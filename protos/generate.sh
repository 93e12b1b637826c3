#!/bin/sh
# Usage: generate.sh BIN OUT. Writes the Python stubs and their types to OUT with the tools in BIN.
set -eu
bin=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
"$bin/python" -m grpc_tools.protoc \
  --plugin=protoc-gen-mypy="$bin/protoc-gen-mypy" \
  --plugin=protoc-gen-mypy_grpc="$bin/protoc-gen-mypy_grpc" \
  --proto_path="$here" \
  --python_out="$out" --grpc_python_out="$out" \
  --mypy_out="quiet:$out" --mypy_grpc_out="quiet:$out" \
  "$here"/onecode/v1/*.proto
