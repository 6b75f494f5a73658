#!/usr/bin/env bash
# Checks the chart against a real kube-apiserver, which stores its objects in a real etcd. No kubelet and no controllers: nothing
# runs, but every object is validated, defaulted and admitted as in a cluster, with unknown fields and warnings as errors (those of
# the "restricted" Pod Security Standard among them).
# Needs etcd (Debian: etcd-server), openssl, and Go 1.26 or newer, which builds helm, kubectl and kube-apiserver (20 minutes once)
# unless they are on PATH or in .aril/kubernetes.
set -euo pipefail
chart=$(cd "$(dirname "$0")/aril" && pwd)
tools=${KUBERNETES_TOOLS:-$chart/../../../.aril/kubernetes}
kubernetes=1.36.3
work=$(mktemp -d)
export PATH=$tools:$PATH KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
pids=()
finish() {
  # What they hold is thrown away; asked to end, an API server waits for an etcd that is gone.
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
passed=0
ok() { passed=$((passed + 1)); echo "ok    $*"; }
fail() { echo "FAIL  $*" >&2; exit 1; }

# k8s.io/kubernetes is no library: whoever builds it names the modules that are its own folders.
build_kubernetes() (
  mkdir "$work/kubernetes" && cd "$work/kubernetes"
  printf 'module check\n\nrequire k8s.io/kubernetes v%s\n' "$kubernetes" > go.mod
  mod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  sed -n "s#^\t\(k8s.io/[a-z-]*\) => ./staging/.*#replace \1 => \1 v0.${kubernetes#1.}#p" "$mod" >> go.mod
  printf 'package main\n\nimport (\n\t_ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n\t_ "k8s.io/kubectl/pkg/cmd"\n)\n\nfunc main() {}\n' > main.go
  go mod tidy -e && go build -ldflags "-X k8s.io/component-base/version.gitVersion=v$kubernetes" -o "$tools/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
)
mkdir -p "$tools"
command -v helm > /dev/null || GOBIN=$tools go install helm.sh/helm/v4/cmd/helm@latest
command -v kubectl > /dev/null && command -v kube-apiserver > /dev/null || build_kubernetes

# ── What the chart says of values ────────────────────────────────────────────────────────────────────────────────────
for values in "$chart"/ci/*.yaml; do
  helm lint --strict "$chart" -f "$values" > "$work/lint" || fail "lint with $(basename "$values"): $(cat "$work/lint")"
  ok "lint with $(basename "$values")"
done
# refuses PART_OF_THE_MESSAGE HELM_OPTIONS
refuses() {
  local expected=$1; shift
  if helm template aril "$chart" "$@" > /dev/null 2> "$work/refusal"; then fail "accepted: $*"; fi
  grep -qF -- "$expected" "$work/refusal" || fail "$*: found $(cat "$work/refusal"); expected it to name $expected"
  ok "refuses ${*: -1}"
}
trial=(-f "$chart/ci/trial-values.yaml")
refuses "secret.existing" --set objects.s3.bucket=aril
refuses "objects: found neither" --set secret.existing=aril
refuses "uploads.volume: found no claim" "${trial[@]}" --set api.replicas=2
refuses "uploads.volume.accessMode: found ReadWriteOnce" "${trial[@]}" --set api.replicas=2,uploads.volume.create=true,uploads.volume.accessMode=ReadWriteOnce
refuses "/addresses/api" "${trial[@]}" --set addresses.api=https://api.example/v1
refuses "/runner/device" "${trial[@]}" --set runner.device=gpu
refuses "/runners/default/gpu" "${trial[@]}" --set runners.default.gpu.enable=true
refuses "/api/env/TENANT_BUDGET_USD" "${trial[@]}" --set api.env.TENANT_BUDGET_USD=50
refuses "'replica'" "${trial[@]}" --set api.replica=2
refuses "/trial/size" "${trial[@]}" --set trial.size=5GB

# ── A cluster's API ──────────────────────────────────────────────────────────────────────────────────────────────────
etcd --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:23790 --advertise-client-urls http://127.0.0.1:23790 \
  --listen-peer-urls http://127.0.0.1:23800 > "$work/etcd.log" 2>&1 &
pids+=($!)
openssl genrsa -out "$work/accounts.key" 2048 2> /dev/null
echo "token,admin,1,system:masters" > "$work/tokens"
kube-apiserver --etcd-servers http://127.0.0.1:23790 --bind-address 127.0.0.1 --secure-port 26443 --cert-dir "$work/certificates" \
  --service-cluster-ip-range 10.0.0.0/24 --service-account-issuer https://kubernetes.default.svc --token-auth-file "$work/tokens" \
  --service-account-key-file "$work/accounts.key" --service-account-signing-key-file "$work/accounts.key" > "$work/apiserver.log" 2>&1 &
pids+=($!)
kubectl config set-cluster check --server https://127.0.0.1:26443 --insecure-skip-tls-verify > /dev/null
kubectl config set-credentials admin --token token > /dev/null
kubectl config set-context check --cluster check --user admin > /dev/null
kubectl config use-context check > /dev/null
for _ in $(seq 120); do kubectl get --raw /readyz > /dev/null 2>&1 && break; sleep 1; done
kubectl get --raw /readyz > /dev/null || fail "kube-apiserver did not start: $(tail -5 "$work/apiserver.log")"

apply() { kubectl -n "$1" apply --server-side --validate=strict --warnings-as-errors -f - > "$work/applied" 2> "$work/refusal"; }
for values in "$chart"/ci/*-values.yaml; do
  namespace=$(basename "$values" -values.yaml)
  kubectl create namespace "$namespace" > /dev/null
  kubectl label namespace "$namespace" pod-security.kubernetes.io/{enforce,warn}=restricted > /dev/null
  kubectl -n "$namespace" create serviceaccount default > /dev/null
  helm template aril "$chart" -n "$namespace" -f "$values" > "$work/$namespace.yaml"
  apply "$namespace" < "$work/$namespace.yaml" || fail "$namespace: $(cat "$work/refusal")"
  ok "$namespace: $(wc -l < "$work/applied") objects admitted"
done

# What would not be noticed if the check itself were blind.
sed 's/terminationGracePeriodSeconds/terminationGraceSeconds/' "$work/gpu.yaml" | apply gpu && fail "an unknown field was accepted"
grep -q 'terminationGraceSeconds: field not declared in schema' "$work/refusal" || fail "an unknown field: $(cat "$work/refusal")"
ok "an unknown field is refused"
sed 's/runAsNonRoot: true/runAsNonRoot: false/' "$work/gpu.yaml" | apply gpu && fail "root was accepted"
grep -q 'would violate PodSecurity' "$work/refusal" || fail "root: $(cat "$work/refusal")"
ok "a pod that may be root is refused"

# The release as helm keeps it: a trial's secrets are made once.
kubectl create namespace release > /dev/null
secret() { kubectl -n release get secret aril-trial -o jsonpath='{.data}'; }
helm install aril "$chart" -n release "${trial[@]}" --no-hooks > /dev/null && before=$(secret)
helm upgrade aril "$chart" -n release "${trial[@]}" --no-hooks --set runner.replicas=2 > /dev/null
[ -n "$before" ] && [ "$before" = "$(secret)" ] || fail "an upgrade made other secrets"
ok "an upgrade keeps a trial's secrets"
[ "$(kubectl -n release get deployment aril-runner-default -o jsonpath='{.spec.replicas}')" = 2 ] || fail "the upgrade changed nothing"
ok "an upgrade is applied"
echo "$passed passed, 0 failed"
