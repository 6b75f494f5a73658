#!/bin/sh
# nvcc.sh LOG COMMAND...: runs the compiler. All it says goes to LOG, for every kernel the registers, shared memory and
# spills (ptxas -v); what is said beyond that, errors and warnings, is shown as well.
log=$1
shift
"$@" > "$log" 2>&1
status=$?
grep -v '^ptxas info\|bytes stack frame' "$log" >&2
exit "$status"
