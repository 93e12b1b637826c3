#!/bin/sh
# Usage: generate.sh PROTOC BIN OUT. Writes the Python stubs to OUT with grpcio-tools in PROTOC, and their types with the
# plugins in BIN. Generated code runs with gRPC and protobuf of its compiler's versions and later ones, and no earlier:
# so the compiler is the oldest that partners may have.
set -eu
protoc=$1
bin=$2
out=$3
here=$(cd "$(dirname "$0")" && pwd)
"$protoc/python" -m grpc_tools.protoc \
  --plugin=protoc-gen-mypy="$bin/protoc-gen-mypy" \
  --plugin=protoc-gen-mypy_grpc="$bin/protoc-gen-mypy_grpc" \
  --proto_path="$here" \
  --python_out="$out" --grpc_python_out="$out" \
  --mypy_out="quiet:$out" --mypy_grpc_out="quiet:$out" \
  "$here"/onecode/v1/*.proto
