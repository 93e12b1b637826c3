#!/bin/sh
# Usage: build.sh go|rust. Builds a peer on stubs generated from protos/: build/go-peer, build/rust/release/onecode-peer.
#
# PYTHON names the interpreter that has grpcio-tools, whose protoc all stubs are generated with. Status 3: a toolchain
# is missing, and standard error says which.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/protoc/bin/python}
out=$here/build
# Where the toolchains' own installers put them, for a shell that has not been told.
PATH=$PATH:/usr/local/go/bin:${CARGO_HOME:-$HOME/.cargo}/bin

missing() {
	echo "$1" >&2
	exit 3
}

"$python" -c 'import grpc_tools.protoc' >/dev/null 2>&1 || {
	echo "$python has no grpcio-tools: run make bench-peers, or set PYTHON" >&2
	exit 1
}
mkdir -p "$out"
case ${1:-} in
go)
	command -v go >/dev/null 2>&1 || missing 'there is no go on the PATH'
	package='onecode/benchmarks/peers/go/onecode/v1;onecodev1'
	GOBIN="$out/bin" go -C "$here/go" install tool
	set --
	for proto in recognition status; do
		name=onecode/v1/$proto.proto
		set -- "$@" "--go_opt=M$name=$package" "--go-grpc_opt=M$name=$package" "$name"
	done
	rm -rf "$here/go/onecode"
	"$python" -m grpc_tools.protoc -I "$root/protos" \
		--plugin=protoc-gen-go="$out/bin/protoc-gen-go" --go_out="$here/go" --go_opt=paths=source_relative \
		--plugin=protoc-gen-go-grpc="$out/bin/protoc-gen-go-grpc" --go-grpc_out="$here/go" \
		--go-grpc_opt=paths=source_relative "$@"
	go -C "$here/go" build -trimpath -buildvcs=false -o "$out/go-peer" .
	;;
rust)
	command -v cargo >/dev/null 2>&1 || missing 'there is no cargo on the PATH'
	command -v cc >/dev/null 2>&1 || missing 'Rust links with cc, and there is none'
	# prost asks for a protoc of its own; the one that is here is a Python module.
	printf '#!/bin/sh\nexec "%s" -m grpc_tools.protoc "$@"\n' "$python" >"$out/protoc"
	chmod +x "$out/protoc"
	PROTOC="$out/protoc" CARGO_TARGET_DIR="$out/rust" \
		cargo build --quiet --release --manifest-path "$here/rust/Cargo.toml" >&2
	;;
*)
	echo 'usage: build.sh go|rust' >&2
	exit 2
	;;
esac
