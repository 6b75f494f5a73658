#!/usr/bin/env bash
# All that a GPU can tell of the CUDA backend in ten minutes: builds it for the device at hand, runs its tests, measures,
# looks for errors of memory, and writes one table of the issue's targets. Needs bash, CMake, nvcc and a device; no Node,
# no network. docs/cuda.md explains the table.
#
#   packages/sgmv-native/scripts/gpu-check.sh [--only STEP,...] [--seconds 570] [--out DIR] [--build DIR]
#
# Steps, in this order: build tests lora model peers peft memcheck racecheck ops. A step that fails or runs out of time
# hides no other. Results: DIR/gpu-check.{md,json,log}; DIR is $OUT, else benchmarks/results/<date>-cuda. The exit status is 0
# if the tests passed and nothing that ran failed; 77 if there is no device.
#
#   --smoke --programs DIR   tiny runs on the emulated device, with programs that are there: does this script work?
set -u -o pipefail

steps=(build tests lora model peers peft memcheck racecheck ops)
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$package/../.." && pwd)

only='' seconds=570 out=${OUT:-} build=$package/build/gpu smoke='' programs=''
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=,$2, ; shift ;;
    --seconds) seconds=$2; shift ;;
    --out) out=$2; shift ;;
    --build) build=$2; shift ;;
    --programs) programs=$2; shift ;;
    --smoke) smoke=--smoke ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
  esac
  shift
done
if [ -z "$smoke" ] && ! nvidia-smi > /dev/null 2>&1; then
  echo 'gpu-check: nvidia-smi shows no device. Nothing was tested.' >&2
  exit 77
fi
out=${out:-$repository/benchmarks/results/$(date +%F)-cuda}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
rows=$out/gpu-check.jsonl log=$out/gpu-check.log
: > "$rows"
: > "$log"

programs=${programs:-$build}
tests=$programs/sgmv_cuda_tests bench=$programs/sgmv_cuda_bench
if [ -n "$smoke" ]; then tests=$programs/sgmv_cuda_emulated_tests bench=$programs/sgmv_cuda_emulated_bench; fi
# Tests of single operations; whole models take a sanitizer too long.
op_tests=('device:' 'sgmv' 'linear:' 'e4m3:' 'attention cuda:' 'rotate cuda:' 'layers:' 'sampling:' 'cuda mixture:' 'states cuda:')

declare -A outcome=() # of each step: ok, failed …, or not run: …
failures=0
passed=0 failed=0 skipped=0

say() { printf '%s\n' "$*" | tee -a "$log"; }
row() { # ID VALUE UNIT TARGET|null
  printf '{"id":"%s","value":%s,"target":%s,"unit":"%s"}\n' "$1" "$2" "$4" "$3" >> "$rows"
}
leave_out() { # STEP WHY
  outcome[$1]="not run: $2"
  say "$1: ${outcome[$1]}"
  return 1
}
# Of the last run of the given command, kept apart so that a step can read what it said.
said=$(mktemp)
# Tests and compute-sanitizer take the device in turns; what they do on the host they do side by side.
jobs=$(getconf _NPROCESSORS_ONLN)
if [ "$jobs" -gt 8 ]; then jobs=8; fi
if nvidia-smi --query-gpu=compute_mode --format=csv,noheader 2> /dev/null | grep -q Exclusive; then jobs=1; fi
trap 'rm -f "$said"' EXIT

# attempt STEP SECONDS COMMAND...: runs it within its time and the whole's. Sets outcome and returns 0 if it did its work.
attempt() {
  local step=$1 budget=$2 left status began=$SECONDS from pid
  shift 2
  : > "$said"
  if ! command -v "$1" > /dev/null; then
    leave_out "$step" 'it was not built'
    return
  fi
  left=$((seconds - SECONDS))
  if [ "$left" -lt "$budget" ]; then budget=$left; fi
  if [ "$budget" -lt 5 ]; then
    leave_out "$step" 'no time was left'
    return
  fi
  # What outlives its step, as a child that ignores the signal does, must not hold up the others, nor keep the device.
  from=$(($(wc -c < "$log") + 1))
  timeout -k 5 "$budget" "$@" >> "$log" 2>&1 < /dev/null &
  pid=$!
  wait "$pid"
  status=$?
  kill -KILL -- "-$pid" 2> /dev/null
  tail -c "+$from" "$log" > "$said"
  case $status in
    0) outcome[$step]=ok ;;
    77) outcome[$step]="not run: $(tail -n 1 "$said")" ;;
    124 | 137) outcome[$step]="failed: stopped after $budget s" ;;
    *) outcome[$step]="failed with status $status: $(grep -v '^ *$' "$said" | tail -n 1 | cut -c1-200)" ;;
  esac
  case ${outcome[$step]} in failed*) failures=$((failures + 1)) ;; esac
  say "$step: ${outcome[$step]} ($((SECONDS - began)) s)"
  [ "$status" -eq 0 ]
}

find_tool() { # NAME FOLDER...: on the PATH or in one of the folders
  local name=$1 folder
  shift
  command -v "$name" && return
  for folder in "$@"; do
    if [ -x "$folder/$name" ]; then echo "$folder/$name" && return; fi
  done
  return 1
}

# NVIDIA's libraries as Python packages, which PyTorch brings: the first file that matches.
packaged() {
  python3 -c 'import glob, sys
print(next((f for p in sys.path for f in sorted(glob.glob(p + "/nvidia/*/" + sys.argv[1]))), ""))' "$1" 2> /dev/null
}

# cuBLASLt's header is not everywhere where nvcc is.
header_flags() {
  local nvcc=$1 found
  if [ -f "$(dirname "$(readlink -f "$nvcc")")/../include/cublasLt.h" ] || [ -f /usr/include/cublasLt.h ]; then return; fi
  found=$(packaged include/cublasLt.h)
  if [ -n "$found" ]; then echo "-isystem $(dirname "$found")"; fi
}

# Nor is the library where the loader looks.
export_cublaslt() {
  local found
  if [ -n "${SGMV_CUBLASLT:-}" ] || PATH=$PATH:/sbin ldconfig -p 2> /dev/null | grep 'libcublasLt\.so' > /dev/null; then return; fi
  found=$(ls "${CUDA_HOME:-/usr/local/cuda}"/lib64/libcublasLt.so.* 2> /dev/null | head -n 1)
  found=${found:-$(packaged 'lib/libcublasLt.so.*')}
  if [ -n "$found" ]; then export SGMV_CUBLASLT=$found; fi
  say "cuBLASLt: ${found:-not found}"
}

step_build() {
  local nvcc generator=() cores
  if ! nvcc=${NVCC:-$(find_tool nvcc "${CUDA_HOME:-/usr/local/cuda}/bin" /usr/local/cuda/bin)}; then
    outcome[build]='failed: no nvcc; NVCC names one'
    failures=$((failures + 1))
    say "build: ${outcome[build]}"
    return 1
  fi
  cores=$(getconf _NPROCESSORS_ONLN)
  if command -v ninja > /dev/null; then generator=(-G Ninja); fi
  say "$("$nvcc" --version | tail -n 2 | head -n 1)"
  attempt build 240 bash -c 'cmake -S "$1" -B "$2" "${@:6}" -DCMAKE_BUILD_TYPE=Release -DSGMV_CUDA=ON -DSGMV_NVCC="$3" \
      -DSGMV_CUDA_ARCHITECTURES=native -DSGMV_CUDA_FLAGS="-lineinfo $4" &&
    cmake --build "$2" --parallel "$5" --target sgmv_cuda_tests sgmv_cuda_bench' \
    build "$package" "$build" "$nvcc" "$(header_flags "$nvcc")" "$cores" "${generator[@]}"
}

# Numbers of the last line "N passed, N failed, N skipped".
count_tests() {
  local counts
  counts=$(grep -oE '[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?' "$said" | tail -n 1)
  read -r passed failed skipped <<< "$(sed -E 's/[^0-9]+/ /g' <<< "$counts")"
}

step_tests() {
  # Tests that were renamed since: the sanitizers would look at nothing.
  if [ -n "$smoke" ]; then attempt tests 20 "$tests" --list "${op_tests[@]}" || return; fi
  attempt tests 120 "$tests" --jobs "$jobs" --seconds 60 ${smoke:+'device:'}
  count_tests
  grep -E '^device:|^skip' "$said" | sort -u | head -n 5
  grep -A1 '^FAIL' "$said" | head -n 60
  row tests.passed "${passed:-0}" '' null
  row tests.failed "${failed:-0}" '' 0
  row tests.skipped "${skipped:-0}" '' null
  row tests.golden.passed "$(grep -c '^ok .*golden' "$said")" '' null
  row tests.golden.failed "$(grep -c '^FAIL .*golden' "$said")" '' 0
}

step_lora() { attempt lora 60 "$bench" --only lora --json "$rows" $smoke; }
step_ops() { attempt ops 60 "$bench" --only linear,mixture,attention,layers --json "$rows" $smoke; }
step_model() { attempt model 180 "$bench" --only model --json "$rows" $smoke; }

python_step() { # STEP SECONDS SCRIPT ARGS...
  local step=$1 budget=$2
  shift 2
  if ! command -v python3 > /dev/null; then
    leave_out "$step" 'no python3'
    return
  fi
  attempt "$step" "$budget" env HF_HUB_OFFLINE=1 python3 "$@" --json "$rows" $smoke
}
step_peers() { python_step peers 80 "$package/bench/cuda/torch_peers.py"; }
step_peft() {
  local left=$((seconds - SECONDS - 10))
  python_step peft 120 "$package/bench/cuda/peft_textgen.py" --popularity distinct --seconds $((left < 90 ? (left > 20 ? left : 20) : 90))
}

# compute-sanitizer's TOOL over the tests of single operations: each kind in a process of its own, so that what was found is
# there when some are not done in time.
sanitize() {
  local tool=$1 sanitizer errors ended options=() excuse=''
  if ! sanitizer=$(find_tool compute-sanitizer "${CUDA_HOME:-/usr/local/cuda}/bin" /usr/local/cuda/bin /usr/local/cuda/compute-sanitizer); then
    leave_out "$tool" 'no compute-sanitizer'
    return
  fi
  if [ ! -x "$tests" ]; then
    leave_out "$tool" 'it was not built'
    return
  fi
  # Errors of calls are the tests' own matter: one asks for a petabyte on purpose.
  if [ "$tool" = memcheck ]; then options=(--report-api-errors no); fi
  attempt "$tool" 90 xargs -a <(printf '%s\n' "${op_tests[@]}") -d '\n' -n 1 -P "$jobs" \
    timeout --foreground -k 2 80 "$sanitizer" --tool "$tool" "${options[@]}" --error-exitcode 99 "$tests"
  errors=$(grep -oE '(ERROR SUMMARY: [0-9]+ error|RACECHECK SUMMARY: [0-9]+ hazard)' "$said" | awk '{ sum += $3 } END { print sum + 0 }')
  ended=$(grep -cE '(ERROR|RACECHECK) SUMMARY: ' "$said")
  if [ "$errors" -gt 0 ] || [ "$ended" -eq "${#op_tests[@]}" ]; then row "sanitizer.$tool.errors" "$errors" '' 0; fi
  # Neither says anything of the tests.
  if grep -q 'Device not supported' "$said"; then excuse='compute-sanitizer says "Device not supported"'; fi
  if [ "$ended" -lt "${#op_tests[@]}" ] && [ "$errors" -eq 0 ] && ! grep -q '^FAIL' "$said"; then excuse="$ended of ${#op_tests[@]} kinds of tests were done in time"; fi
  if [[ -n $excuse && ${outcome[$tool]} = failed* ]]; then
    failures=$((failures - 1))
    leave_out "$tool" "$excuse"
  fi
}
step_memcheck() { sanitize memcheck; }
step_racecheck() { sanitize racecheck; }

why() { # STEP...: the first outcome that says why there is no figure
  local step
  for step in "$@"; do
    case ${outcome[$step]:-not run: not asked for} in ok) ;; *) echo "${outcome[$step]:-not run: not asked for}" && return ;; esac
  done
  echo 'not run: the step gave no such figure'
}

describe() {
  echo "- Device: $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2> /dev/null | head -n 1 || true)"
  echo "- Commit: $(git -C "$repository" rev-parse HEAD 2> /dev/null || echo "${SGMV_COMMIT:-unknown}")"
  echo "- Command: \`packages/sgmv-native/scripts/gpu-check.sh${only:+ --only ${only:1:-1}}${smoke:+ --smoke}\`, $SECONDS s"
  echo "- Date: $(date +%F)"
}

write_results() {
  {
    echo "# CUDA on a device: $(date +%F)"
    echo
    if [ -n "$smoke" ]; then echo '**A smoke run on the emulated device: no figure means anything.**' && echo; fi
    describe
    echo
    echo '| # | Measure | Value | Target | |'
    echo '|---|---|---|---|---|'
    awk -v tests="$(why tests)" -v lora="$(why lora)" -v peers="$(why lora peers)" -v model="$(why model)" -v peft="$(why model peft)" \
      -v sanitizers="$(why memcheck racecheck)" -f "$package/scripts/gpu-table.awk" "$rows"
    echo
    echo '| Step | Outcome |'
    echo '|---|---|'
    local step
    for step in "${steps[@]}"; do echo "| $step | ${outcome[$step]:-not run: not asked for} |"; done
    echo
    echo '| Row | Value | Target | Unit |'
    echo '|---|---|---|---|'
    sed -E 's/^\{"id": ?"([^"]*)", ?"value": ?([^,]*), ?"target": ?([^,]*), ?"unit": ?"([^"]*)"\}$/| \1 | \2 | \3 | \4 |/; s/ null / /' "$rows"
  } > "$out/gpu-check.md"
  { echo '['; sed '$!s/$/,/' "$rows"; echo ']'; } > "$out/gpu-check.json"
  rm -f "$rows"
}

main() {
  local step
  say "$(describe | head -n 2)"
  export_cublaslt
  for step in "${steps[@]}"; do
    case $only in '' | *,$step,*) ;; *) continue ;; esac
    if [ "$step" = build ] && [ "$programs" != "$build" ]; then
      outcome[build]='not run: the programs were given'
      continue
    fi
    "step_$step"
  done
  write_results
  sed '/^| Row /,$d' "$out/gpu-check.md"
  echo "All rows: $out/gpu-check.md, $out/gpu-check.json; what the steps said: $out/gpu-check.log"
  # Tests that found nothing to run on are no success.
  [ "$failures" -eq 0 ] && case ${outcome[tests]:-ok} in ok) true ;; *) false ;; esac
}

main
