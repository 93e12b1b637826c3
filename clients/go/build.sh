#!/bin/sh
# Generates the stubs from protos/ and builds the programs of cmd/ to bin/.
#
# PYTHON names the interpreter that has grpcio-tools, whose protoc the Python stubs are generated with too.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/protoc/bin/python}
package='onecode/clients/go/onecode/v1;onecodev1'

missing() {
	echo "build.sh: $1" >&2
	exit 3
}

command -v go >/dev/null 2>&1 || missing 'the Go client needs Go, and there is no go on the PATH'
"$python" -c 'import grpc_tools.protoc' >/dev/null 2>&1 || missing "$python has no grpcio-tools: run make go-client, or set PYTHON"

# The generators run here, whatever system the client is built for; go.mod pins their versions.
GOOS='' GOARCH='' GOBIN="$here/bin" go -C "$here" install tool

# The protos name no Go package, because they belong to every language: each is mapped here instead.
set --
for proto in "$root"/protos/onecode/v1/*.proto; do
	name=onecode/v1/${proto##*/}
	for plugin in go go-grpc grpc-gateway openapiv2; do
		set -- "$@" "--${plugin}_opt=M$name=$package"
	done
	set -- "$@" "$name"
done

# A stub must not outlive its proto. The page for HTTP has the protos' names for members, as the gateway writes them.
rm -rf "$here/onecode"
mkdir "$here/onecode"
"$python" -m grpc_tools.protoc -I "$root/protos" \
	--plugin=protoc-gen-go="$here/bin/protoc-gen-go" --go_out="$here" --go_opt=paths=source_relative \
	--plugin=protoc-gen-go-grpc="$here/bin/protoc-gen-go-grpc" --go-grpc_out="$here" --go-grpc_opt=paths=source_relative \
	--plugin=protoc-gen-grpc-gateway="$here/bin/protoc-gen-grpc-gateway" --grpc-gateway_out="$here" \
	--grpc-gateway_opt="paths=source_relative,grpc_api_configuration=$here/gateway.yaml" \
	--plugin=protoc-gen-openapiv2="$here/bin/protoc-gen-openapiv2" --openapiv2_out="$here/onecode" \
	--openapiv2_opt="grpc_api_configuration=$here/gateway.yaml,openapi_configuration=$here/openapi.yaml" \
	--openapiv2_opt=allow_merge=true,merge_file_name=openapi,json_names_for_fields=false,preserve_rpc_order=true \
	"$@"

# Without the revision, so that a tree that git does not know, or does not trust, builds as well.
go -C "$here" build -trimpath -buildvcs=false -o "$here/bin/" ./cmd/...
