/* small_topo.h: a segment as small as a test without volume needs. The test adds how many workers
 * there are: {SMALL_TOPO, .api = 2, .verify = 1, .matching = 1}. */
#ifndef EIDOS_TESTS_LIB_SMALL_TOPO_H
#define EIDOS_TESTS_LIB_SMALL_TOPO_H

#include "shm/topo.h"

#define SMALL_TOPO \
    .accounts_max = 100, .balances_max = 100, .nonce_windows_max = 100, .transfers_max = 256, \
    .orders_max = 100, .resting_max = 100, .command_bytes = 1 << 20, .match_bytes = 1 << 20, \
    .account_bytes = 1 << 20, .ring_bytes = 1 << 16, .recent_trades = 10, .markets_max = 16, \
    .candles = MARKET_CANDLES_FEWEST, .history_rows = 1024

#endif
