#!/usr/bin/env bash
# Runs test programs, several at once:
#   scripts/run-tests.sh [-j N] [-t SECONDS] 'PROGRAM [ARGUMENT...]'...
# One line per test, the whole output of those that fail, and the closing line "N passed, N failed".
# Exit code 0 if none failed. With EIDOS_TALLY=FILE the two counts are appended there too.
set -euo pipefail

jobs=1
export limit_s=120
while getopts j:t: option; do
    case $option in
    j) jobs=$OPTARG ;;
    t) limit_s=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export results

# Sanitizers want the address layout they know; where that may not be asked for, go without.
export fixed_layout=''
if setarch -R true 2>/dev/null; then fixed_layout='setarch -R'; fi

run_one() {
    local out=$results/$BASHPID begin=${EPOCHREALTIME/./} verdict=ok code=0 skipped note=''
    # shellcheck disable=SC2086  # the words of a command line
    timeout -k 5 "$limit_s" $fixed_layout $1 >"$out" 2>&1 </dev/null || code=$?
    if ((code == 124 || code == 137)); then note=" (stopped after $limit_s s)"; fi
    if ((code)); then verdict=FAIL note=" (exit code $code)$note"; fi
    skipped=$(grep -c '^\[  SKIPPED \] [^0-9]' "$out") && note+=" ($skipped skipped)"
    local ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    {
        flock 9
        printf '%-4s %3d.%03d s  %s%s\n' $verdict $((ms / 1000)) $((ms % 1000)) "$1" "$note"
        if ((code)); then sed 's/^/     | /' "$out"; fi
        echo $verdict >>"$results/verdicts"
    } 9>"$results/lock"
}
export -f run_one

touch "$results/verdicts"
if (($# == 0)); then
    echo "$0: there are no tests of this kind, so nothing is proven" >&2
    exit 1
fi
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\0' "$@" | xargs -0 -n1 -P"$jobs" bash -c 'run_one "$1"' run_one
passed=$(grep -c ok "$results/verdicts" || true)
failed=$(($# - passed))
echo "$passed passed, $failed failed"
if [[ -n ${EIDOS_TALLY:-} ]]; then echo "$passed $failed" >>"$EIDOS_TALLY"; fi
((failed == 0))
