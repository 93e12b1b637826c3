# Two commands matter: `make demo` and `make test`. Both set everything up first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
STUBS  := clients/python
PROTOC := $(VENV)/protoc
PIN    := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.PHONY: help attack drills log-drills front front-check front-deny demo cluster test test-fast test-random fuzz fuzz-ci fuzz-paths fuzz-paths-ci fuzz-front fuzz-front-ci check packages image-steps lowest coverage protos stubs-fresh breaking release-protos lint types imports bench bench-gate bench-peers spread soak bench-kernel bench-store bench-floods bench-tls go-client openapi openapi-fresh java-client typescript-client schemas brokers requirements docs docs-fresh dashboards dashboards-fresh console-pictures clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml setup.py requirements/dev.txt $(wildcard $(addsuffix /kernel/*,server/onecode_server/crypto server/onecode_server/codes/encodings))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "onecode needs Python 3.11 or later; set PYTHON="; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	# Without the native front, whose build takes longer than all else here: make front.
	ONECODE_BUILD_FRONT=false $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The compiler of the stubs is an older one than what else is installed here could live with.
$(PROTOC)/.installed: requirements/stubs.txt | $(STAMP)
	$(PYTHON) -m venv $(PROTOC)
	$(PROTOC)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/stubs.txt
	@touch $@

FRONT := server/onecode_server/rpc/_front.abi3.so
FRONT_TARGET ?= build/front
CARGO := CARGO_TARGET_DIR=$(FRONT_TARGET) cargo
front: $(FRONT) ## build the native front where it is imported (needs Cargo); --front native then chooses it

$(FRONT): front/Cargo.toml $(wildcard front/src/*.rs)
	$(CARGO) build --quiet --release --manifest-path front/Cargo.toml
	cp $(FRONT_TARGET)/release/lib_front.so $@.new
	mv $@.new $@

front-check: ## format, lint and test the native front in Rust (needs Cargo with rustfmt and clippy)
	$(CARGO) fmt --check --manifest-path front/Cargo.toml
	$(CARGO) clippy --quiet --all-targets --manifest-path front/Cargo.toml -- -D warnings
	$(CARGO) test --quiet --no-default-features --manifest-path front/Cargo.toml

front-deny: ## hold the crates of the native front to front/deny.toml: licenses, duplicates, sources (needs cargo-deny)
	@if command -v cargo-deny >/dev/null; then cd front && cargo deny check bans licenses sources; \
	else echo "cargo-deny is not installed: the crates of the native front are not looked at"; fi

demo: $(STAMP) ## codes verified and translated on a real server, and what each role may do over mutual TLS
	$(BIN)/python -m demo

CLUSTER_FLAGS ?=
cluster: $(STAMP) ## three brokers and three machines that share a log, watched while keys kill parts of them (needs Java, Maven)
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory brokers; fi
	$(BIN)/python -m demo.cluster $(CLUSTER_FLAGS)

test: $(STAMP) ## run all tests
	$(BIN)/python -m pytest $(TEST_FLAGS)

test-fast: $(STAMP) ## run the tests that start no servers and are quick (tests/conftest.py names the slow ones)
	$(BIN)/python -m pytest -m "not slow" -n auto $(TEST_FLAGS)

test-random: $(STAMP) ## run the property tests on fresh examples; `make test` has the same ones in every run
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=random $(TEST_FLAGS)

FUZZ_S ?= 600
fuzz: $(STAMP) ## compare the kernel with PyNaCl's libsodium on made signatures, FUZZ_S seconds (needs clang)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_S)

fuzz-ci: $(STAMP) ## the same for under a minute, memory and arithmetic watched, always the same inputs
	$(BIN)/python -m tests.fuzz --sanitized --seed 1 --runs 3000

FUZZ_PATHS_S ?= 600
fuzz-paths: $(STAMP) ## compare single, row and column checks with the general path on signed mutants, FUZZ_PATHS_S seconds
	$(BIN)/python -m tests.fuzz_paths --seconds $(FUZZ_PATHS_S)

fuzz-paths-ci: $(STAMP) ## the same for under a minute, always the same mutants
	$(BIN)/python -m tests.fuzz_paths --seed 1 --runs 30000

FUZZ_FRONT_S ?= 600
fuzz-front: $(STAMP) front ## hostile frames and odd calls against the native front, beside a polite caller, FUZZ_FRONT_S seconds
	$(BIN)/python -m tests.fuzz_front --seconds $(FUZZ_FRONT_S)

fuzz-front-ci: $(STAMP) front ## the same for under a minute, always the same cases (make test runs as many)
	$(BIN)/python -m tests.fuzz_front --seed 1 --cases 1000

DIST := build/dist
packages: $(STAMP) ## build both packages, install them where nothing else is, with and without a compiler, and use them
	rm -rf $(DIST)
	$(BIN)/python -m tests.packages --out $(DIST)

image-steps: $(STAMP) ## carry out the steps of the Dockerfile in an empty directory: no engine is needed
	$(BIN)/python -m tests.packages.image

# What was built runs on the oldest of each package that it asks for; the tests' own tools are those of $(VENV).
LOWEST := build/lowest
# Where the packages differ: wire, store, signatures, arrays, settings, what commands print. Rules and numbers are ours.
LOWEST_TESTS := $(addprefix tests/unit/,cli client identity rpc stores crypto/test_libsodium.py crypto/test_signing.py \
    codes/national/test_codec.py codes/encodings/test_base45_columns.py codes/encodings/test_base64url_columns.py \
    verification/test_verifier.py verification/authenticate/test_other_peoples_codes.py translation/test_translator.py \
    publication/test_publisher.py settings/test_config.py telemetry/test_metrics.py) \
  $(addprefix tests/integration/test_,client.py exceptions.py every_rule.py init.py mistakes.py observation.py \
    other_clients.py pictures.py requests.py status.py streams.py trust_edits.py workers.py)
PURELIB = -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
lowest: packages ## run what other people's packages have a part in on the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps $(DIST)/native/*.whl
	$(BIN)/python $(PURELIB) > "$$($(LOWEST)/bin/python $(PURELIB))/tools.pth"
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadfile $(LOWEST_TESTS)

ENGINE := verification status recognition publication translation identity trust
comma := ,
coverage: $(STAMP) ## after `make test TEST_FLAGS=--cov`: hold the rules, the codes and the engine to 95 % of lines and branches
	@for packages in "*/rules/*" "*/codes/*" "$(subst $() $(),$(comma),$(ENGINE:%=*/onecode_server/%/*))"; do \
	  $(BIN)/python -m coverage report --include="$$packages" --fail-under=95 --skip-covered --show-missing || exit 1; \
	done

check: lint types imports stubs-fresh docs-fresh dashboards-fresh ## lint, types, layers, stubs, protos and their page, dashboards

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos

types: $(STAMP)
	$(BIN)/mypy server/onecode_server clients/python/onecode_client demo benchmarks monitoring tests

imports: $(STAMP)
	$(BIN)/lint-imports

protos: $(STAMP) $(PROTOC)/.installed ## generate the Python stubs from protos/
	./protos/generate.sh $(PROTOC)/bin $(BIN) $(STUBS)

stubs-fresh: $(STAMP) $(PROTOC)/.installed
	./protos/check-fresh.sh $(PROTOC)/bin $(BIN) $(STUBS)

API_PAGE = $(BIN)/buf build protos --exclude-imports -o - | $(BIN)/python protos/generate_api.py
docs: $(STAMP) ## generate docs/api.md from the comments of protos/
	$(API_PAGE) docs/api.md

docs-fresh: $(STAMP)
	$(API_PAGE) --check docs/api.md

dashboards: $(STAMP) ## generate what deploy/ has for Grafana and Prometheus from monitoring/
	$(BIN)/python -m monitoring

dashboards-fresh: $(STAMP)
	$(BIN)/python -m monitoring --check

console-pictures: $(STAMP) ## draw the pictures of docs/dashboards.md: a server that is well, then one with faults, in half an hour
	$(BIN)/python -m tests.console_pictures

breaking: $(STAMP) ## compare the protos with those of the last release (protos/released)
	./protos/check-breaking.sh $(BIN)

release-protos: $(STAMP) ## make the protos the last release's, unless they break it: a step of a release
	./protos/release.sh $(BIN)

BENCH_TOOLS = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/bench.txt

bench: $(STAMP) bench-peers ## the server against its peers and its bars, with plots, in under five minutes
	@if command -v cargo >/dev/null; then $(MAKE) --no-print-directory front; else echo "no Cargo: without the native front"; fi
	$(BENCH_TOOLS)
	$(BIN)/python -m benchmarks $(BENCH_FLAGS)

bench-gate: $(STAMP) ## fail where this tree is slower than the last release (GATE_FLAGS=--write: make it the release)
	$(BIN)/python -m benchmarks.gate $(GATE_FLAGS)

bench-peers: $(PROTOC)/.installed ## build the peers in Go and Rust, each where its toolchain is
	for peer in go rust; do PYTHON="$(abspath $(PROTOC))/bin/python" benchmarks/peers/build.sh $$peer || [ $$? = 3 ] || exit 1; done

bench-floods: $(STAMP) ## what copies, odd codes and strangers' key ids do to the batches of others
	$(BIN)/python -m benchmarks.floods

bench-tls: $(STAMP) ## what TLS, certificates and tokens cost a call, and the check of rights alone
	$(BIN)/python -m benchmarks.secured
	$(BIN)/python -m benchmarks.rights

attack: $(STAMP) ## hostile callers against fresh servers, and what a polite one notices (ATTACK_FLAGS="idle-calls --front grpc")
	$(BIN)/python -m benchmarks.attacks $(ATTACK_FLAGS)

drills: $(STAMP) ## workers killed, 100 rolling restarts, cancelled calls, 100 kills of all in a publication: half an hour
	$(BIN)/python -m benchmarks.drills killed $(DRILL_FLAGS)
	$(BIN)/python -m benchmarks.drills rolling $(DRILL_FLAGS)
	$(BIN)/python -m benchmarks.drills cancelled $(DRILL_FLAGS)
	$(BIN)/python -m benchmarks.soak --records 300000 --kills 100

log-drills: $(STAMP) ## machines that share a log: faults, delays, sites at a distance, decisions, what it costs, clocks: 45 minutes (needs Java, Maven)
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory brokers; fi
	for drill in faults seen sites batches decisions clocks; do $(BIN)/python -m benchmarks.log_drills $$drill || exit $$?; done

spread: $(STAMP) ## how soon a record that one server took shows at another, both busy, a thousand times
	$(BIN)/python -m benchmarks.spread

soak: $(STAMP) ## a million records while the server is killed ten times: nothing that was acknowledged is lost
	$(BIN)/python -m benchmarks.soak

bench-kernel: $(STAMP) ## the signature kernel against PyNaCl, with a plot
	$(BENCH_TOOLS)
	$(BIN)/python -m benchmarks.kernel

bench-store: $(STAMP) ## a store of 10 million subjects against one of 100 thousand: look-ups, and bytes on disk
	$(BIN)/python -m benchmarks.store

go-client: $(PROTOC)/.installed ## build the Go programs on stubs generated from protos/ (needs Go)
	PYTHON="$(abspath $(PROTOC))/bin/python" ./clients/go/build.sh

openapi: go-client ## generate docs/openapi.json, which lists what the HTTP gateway answers (needs Go)
	cp clients/go/onecode/openapi.swagger.json docs/openapi.json

openapi-fresh: go-client
	diff -u docs/openapi.json clients/go/onecode/openapi.swagger.json

java-client: ## build the partner's program in Java (needs Maven and a JDK); tests/partners then holds it to the cases
	./clients/java/build.sh

typescript-client: ## build the partner's program in TypeScript (needs Node.js); tests/partners then holds it to the cases
	./clients/typescript/build.sh

schemas: build/schemas/.fetched ## bring schemas and checkers of Compose and Kubernetes, for the tests of deploy/ (needs Go)

build/schemas/.fetched: tests/schemas/fetch.sh requirements/schemas.txt $(wildcard tests/schemas/*.py tests/schemas/compose/*)
	PYTHON="$(PYTHON)" ./tests/schemas/fetch.sh
	@touch $@

brokers: build/brokers/.fetched ## bring Apache Kafka's jars, 54 MB, for the tests of the log (needs Maven)

build/brokers/.fetched: demo/brokers/pom.xml
	rm -rf $(@D)
	mvn -q -B -ntp -Dstyle.color=never -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(abspath $(@D))
	@touch $@

requirements: ## pin the newest dependencies that pyproject.toml allows, with hashes (needs uv)
	$(PIN) pyproject.toml --group dev --upgrade -o requirements/dev.txt
	$(PIN) pyproject.toml --group build --constraint requirements/dev.txt -o requirements/runtime.txt
	$(PIN) pyproject.toml --group bench --constraint requirements/dev.txt -o requirements/bench.txt
	$(PIN) --group stubs --upgrade -o requirements/stubs.txt
	$(PIN) --group schemas --upgrade -o requirements/schemas.txt
	$(PIN) pyproject.toml --resolution lowest-direct --upgrade -o requirements/lowest.txt
	$(PIN) clients/python/pyproject.toml --extra offline --resolution lowest-direct --upgrade -o requirements/lowest-client.txt

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .coverage .hypothesis .import_linter_cache build benchmarks/peers/build
