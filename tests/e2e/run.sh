#!/usr/bin/env bash
# End to end: clients of their own (ethers v6, ws) against one private exchange.
#   tests/e2e/run.sh [arguments of node --test]      EIDOS_BIN: where the programs are
set -euo pipefail
cd "$(dirname "$0")"
npm ci --silent --no-audit --no-fund
exec node --test "$@" e2e.test.mjs front.test.mjs
