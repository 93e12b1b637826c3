#!/bin/sh
# Builds the program with Maven, which fetches protoc and generates the stubs from protos/, and runs its tests.
#
# Arguments are Maven's: build.sh -DskipTests builds without the tests.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

missing() {
	echo "build.sh: $1" >&2
	exit 3
}

command -v mvn >/dev/null 2>&1 || missing 'the Java client needs Maven 3.8 or later, and there is no mvn on the PATH'
command -v javac >/dev/null 2>&1 || missing 'the Java client needs a JDK of Java 17 or later, and there is no javac on the PATH'

cd "$here"
exec mvn -B -ntp -Dstyle.color=never "$@" package
