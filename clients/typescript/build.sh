#!/bin/sh
# Installs the pinned packages, generates the stubs from protos/ and compiles the program, which bin/onecode-partner runs.
set -eu

cd -- "$(dirname -- "$0")"

missing() {
	echo "build.sh: $1" >&2
	exit 3
}

command -v node >/dev/null 2>&1 || missing 'the TypeScript client needs Node.js 20 or later, and there is no node on the PATH'
command -v npm >/dev/null 2>&1 || missing 'the TypeScript client needs npm, and there is none on the PATH'
[ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] || missing "Node.js $(node --version) is older than 20"

npm ci --no-audit --no-fund --loglevel=error
# A stub or a module must not outlive its source.
rm -rf build generated
npm run --silent build
