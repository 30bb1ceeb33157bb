/* params.c: from the options of a configuration to the shape of the segment. */
#include "cli/cli.h"

/* Messages between two processes: a thousand of the largest orders. Not an option: a full ring
 * only holds its producer back. */
#define RING_BYTES (1UL << 20)

/* Recent trades kept per market: protocol.md 1 lets a reader ask for 500, and a push that comes a
 * moment late must not miss any of a burst. */
#define RECENT_TRADES 4096UL

void cli_topo_params(const struct config *config, struct topo_params *params)
{
    *params = (struct topo_params){
        .api = config->api.workers,
        .verify = config->verify.workers,
        .matching = config->matching.workers,
        .bridges = config->journal.durability == DURABILITY_KAFKA,
        .standbys = (config->trading.standby ? STANDBY_TRADING : 0U) |
                    (config->matching.standby ? STANDBY_MATCHING : 0U),
        .accounts_max = config->trading.accounts_max,
        .balances_max = config->trading.balances_max,
        /* Every wallet orders; few sign a Cancel or a Withdraw of their own, which are windows of
         * their own: 3 KiB each. */
        .nonce_windows_max = config->trading.accounts_max + config->trading.accounts_max / 4,
        .transfers_max = config->trading.transfers_max,
        .orders_max = config->trading.orders_max,
        .resting_max = config->matching.orders_max,
        .command_bytes = config->log.command_bytes,
        .match_bytes = config->log.match_bytes,
        .account_bytes = config->log.account_bytes,
        .ring_bytes = RING_BYTES,
        .recent_trades = RECENT_TRADES,
        .markets_max = config->klines.markets_max,
        .trace_entries = config->trace.entries,
        .candles =
            {
                [INTERVAL_1M] = config->klines.keep_1m,
                [INTERVAL_5M] = config->klines.keep_5m,
                [INTERVAL_15M] = config->klines.keep_15m,
                [INTERVAL_30M] = config->klines.keep_30m,
                [INTERVAL_1H] = config->klines.keep_1h,
                [INTERVAL_4H] = config->klines.keep_4h,
                [INTERVAL_1D] = config->klines.keep_1d,
                [INTERVAL_1W] = config->klines.keep_1w,
            },
        .history_rows = config->history.rows,
    };
}
