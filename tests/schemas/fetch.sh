#!/usr/bin/env bash
# Brings into build/schemas/ what the tests of deploy/ hold its files to: schemas of Kubernetes and of the custom resources
# of Prometheus Operator and cert-manager, and the programs that compare. Versions are pinned; Go's checksum database vouches
# for the modules, and hashes for the packages.
set -euo pipefail
cd "$(dirname "$0")/../.."

out="$PWD/build/schemas"
rm -rf "$out"
mkdir -p "$out/bin"

module() { # print the directory of a module of Go
  (cd tests/schemas/compose && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

GOBIN="$out/bin" go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
command -v kubectl >/dev/null || GOBIN="$out/bin" go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
(cd tests/schemas/compose && go build -o "$out/bin/compose-config" .)
operator=$(module github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd
certificates=$(module github.com/cert-manager/cert-manager@v1.21.2)/deploy/crds

"${PYTHON:-python3}" -m venv "$out/venv"
"$out/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/schemas.txt
"$out/venv/bin/python" -m tests.schemas "$out/kubernetes" \
  "$operator/monitoring.coreos.com_servicemonitors.yaml" "$operator/monitoring.coreos.com_prometheusrules.yaml" \
  "$certificates/cert-manager.io_certificates.yaml" "$certificates/cert-manager.io_issuers.yaml"
rm -rf "$out/venv"
