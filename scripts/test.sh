#!/usr/bin/env bash
# The whole test, step by step; a failed step does not hide the ones after it.
#   scripts/test.sh short|long
# Closing line: "N passed, N failed", counting test programs and steps (builds, lint) that have none.
set -euo pipefail
cd "$(dirname "$0")/.."

make="make --no-print-directory --output-sync=target -j${JOBS:-$(nproc)}"
sanitized='SAN=address,undefined'
programs='all tests benches replays'

SHORT="
build with gcc             | $make $programs
build with clang           | $make CC=clang $programs
lint                       | $make lint
unit tests                 | $make check-unit
reference model            | $make check-model
simulation                 | $make check-sim
interleavings              | $make check-interleave
build with sanitizers      | $make $sanitized $programs
unit tests, sanitized      | $make $sanitized check-unit
fuzz corpora, sanitized    | $make $sanitized check-replay
fuzzing, briefly           | $make fuzz FUZZ_SECONDS=10 FUZZ_SEED=1
threads, race detector     | $make SAN=thread check-mt
integration                | $make check-integration
end to end                 | $make check-e2e
conformance                | $make check-conformance
"
LONG="
lint, in depth             | $make lint-tidy TIDY_NODES=225000 BUILD=build-lint
ten million orders         | env EIDOS_LONG=1 build/tests/test_book_many ${SEED:-1}
fuzzing                    | $make fuzz FUZZ_SECONDS=${FUZZ_SECONDS:-60}
integration, sanitized     | $make $sanitized check-integration
integration, at length     | env EIDOS_LONG=1 $make check-integration LIMIT=3600
simulation, at length      | $make sim-long SEED=${SEED:-1}
"

case ${1:-} in
short) steps=$SHORT ;;
long) steps=$SHORT$LONG ;;
*)
    echo "usage: $0 short|long" >&2
    exit 2
    ;;
esac

mkdir -p build
EIDOS_TALLY=$(mktemp build/tally.XXXXXX)
export EIDOS_TALLY
trap 'rm -f "$EIDOS_TALLY"' EXIT

while IFS='|' read -r name command; do
    [[ -n $command ]] || continue
    name=${name%"${name##*[! ]}"}
    echo "=== $name"
    before=$(wc -l <"$EIDOS_TALLY") begin=$SECONDS code=0
    # shellcheck disable=SC2086  # the words of a command line
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $command </dev/null || code=$?
    if (($(wc -l <"$EIDOS_TALLY") == before)); then echo "$((code == 0)) $((code != 0))" >>"$EIDOS_TALLY"; fi
    verdict=ok
    if ((code)); then verdict="FAILED (exit code $code)"; fi
    echo "=== $name: $verdict, $((SECONDS - begin)) s"
done <<<"$steps"

awk '{ passed += $1; failed += $2 } END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 }' \
    "$EIDOS_TALLY"
