/* metrics.h: every number a process counts, as one table: id, owner, type, name, help.
 *
 * The id is the index into proc_block.metrics, which holds bare u64s; the table in metrics.c says
 * what they mean. `/metrics` and the documentation read it. A new metric is one line here.
 *
 * Names follow Prometheus: base units, counters end in _total. COUNTER and GAUGE are shown as they
 * are; COUNTER_NS and GAUGE_NS are kept in nanoseconds and shown in seconds.
 */
#ifndef EIDOS_SHM_METRICS_H
#define EIDOS_SHM_METRICS_H

#include "shm/proc.h"
#include "shm/topo.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_COUNTER_NS, METRIC_GAUGE_NS };

// clang-format off
/* M(id, owner, type, name, help) */
#define METRICS(M) \
    M(OPS_RESTARTS, OPS, COUNTER, "eidos_restarts_total", "Processes the supervisor had to start again") \
    \
    M(TRADING_COMMANDS, TRADING, COUNTER, "eidos_trading_commands_total", "Records appended to the command log") \
    M(TRADING_ACCEPTED, TRADING, COUNTER, "eidos_trading_orders_accepted_total", "Orders accepted") \
    M(TRADING_REFUSED, TRADING, COUNTER, "eidos_trading_orders_refused_total", "Orders refused, logged or not") \
    M(TRADING_CANCELS, TRADING, COUNTER, "eidos_trading_cancels_total", "Orders that a cancel was logged for") \
    M(TRADING_EXPIRED, TRADING, COUNTER, "eidos_trading_expired_total", "Orders that an expiry was logged for") \
    M(TRADING_DEPOSITS, TRADING, COUNTER, "eidos_trading_deposits_total", "Deposits credited") \
    M(TRADING_MERGED, TRADING, COUNTER, "eidos_trading_match_records_merged_total", "Match records admitted into the ledger") \
    M(TRADING_TRADES, TRADING, COUNTER, "eidos_trading_trades_total", "Trades cleared") \
    M(TRADING_REPLIES, TRADING, COUNTER, "eidos_trading_replies_total", "Replies sent to gateways and operators") \
    M(TRADING_DROPPED, TRADING, COUNTER, "eidos_trading_replies_dropped_total", "Replies nobody could be given: the asker is gone or its ring is full") \
    M(TRADING_BLOCKED, TRADING, COUNTER, "eidos_trading_blocked_turns_total", "Turns that left work in the ingress because a log or ring was full") \
    M(TRADING_SEQUENCE, TRADING, GAUGE, "eidos_trading_sequence", "Last command sequence") \
    M(TRADING_OPEN_ORDERS, TRADING, GAUGE, "eidos_trading_open_orders", "Open orders") \
    M(TRADING_ACCOUNTS, TRADING, GAUGE, "eidos_trading_accounts", "Wallets with an account") \
    M(TRADING_BALANCES, TRADING, GAUGE, "eidos_trading_balances", "Rows of wallet and token in use") \
    M(TRADING_MODE, TRADING, GAUGE, "eidos_trading_mode", "0 normal, 1 cancel-only, 2 halted") \
    \
    M(MATCHING_COMMANDS, MATCHING, COUNTER, "eidos_matching_commands_total", "Command records applied") \
    M(MATCHING_TRADES, MATCHING, COUNTER, "eidos_matching_trades_total", "Trades made") \
    M(MATCHING_RECORDS, MATCHING, COUNTER, "eidos_matching_records_total", "Records appended to the match log") \
    M(MATCHING_BLOCKED, MATCHING, COUNTER, "eidos_matching_blocked_turns_total", "Turns that waited because the match log was full") \
    M(MATCHING_COMMAND_SEQUENCE, MATCHING, GAUGE, "eidos_matching_command_sequence", "Last command sequence applied") \
    M(MATCHING_SEQUENCE, MATCHING, GAUGE, "eidos_matching_sequence", "Last match sequence") \
    M(MATCHING_RESTING, MATCHING, GAUGE, "eidos_matching_resting_orders", "Resting orders in all books") \
    M(MATCHING_LEVELS, MATCHING, GAUGE, "eidos_matching_levels", "Price levels in all books") \
    \
    M(JOURNAL_BATCHES, JOURNAL, COUNTER, "eidos_journal_batches_total", "Groups of records written together") \
    M(JOURNAL_RECORDS, JOURNAL, COUNTER, "eidos_journal_records_total", "Records written, all logs") \
    M(JOURNAL_BYTES, JOURNAL, COUNTER, "eidos_journal_written_bytes_total", "Bytes written, all logs") \
    M(JOURNAL_SYNCS, JOURNAL, COUNTER, "eidos_journal_syncs_total", "Times the command log was synced") \
    M(JOURNAL_SYNC_NS, JOURNAL, COUNTER_NS, "eidos_journal_sync_seconds_total", "Time spent in sync") \
    M(JOURNAL_SYNC_MAX_NS, JOURNAL, GAUGE_NS, "eidos_journal_sync_max_seconds", "Longest sync since the start") \
    M(JOURNAL_DURABLE, JOURNAL, GAUGE, "eidos_journal_durable_sequence", "Last command sequence that is durable") \
    M(JOURNAL_SEGMENTS, JOURNAL, GAUGE, "eidos_journal_segments", "Journal files kept") \
    M(JOURNAL_RETIRED, JOURNAL, COUNTER, "eidos_journal_retired_total", "Journal files removed because nobody needs them any more") \
    M(JOURNAL_FREE, JOURNAL, GAUGE, "eidos_journal_free_bytes", "Space left on the journal's disk") \
    M(JOURNAL_LOW_DISK, JOURNAL, GAUGE, "eidos_journal_low_disk", "1 while space is short and trading is cancel-only") \
    \
    M(MARKET_RECORDS, MARKET, COUNTER, "eidos_market_records_total", "Match records applied to market data") \
    M(MARKET_TRADES, MARKET, COUNTER, "eidos_market_trades_total", "Trades seen") \
    M(MARKET_LEVELS, MARKET, GAUGE, "eidos_market_levels", "Price levels in market data") \
    M(MARKET_LAPPED, MARKET, COUNTER, "eidos_market_lapped_total", "Times it fell behind a log and went on from the journal") \
    \
    M(SNAPSHOT_TAKEN, SNAPSHOT, COUNTER, "eidos_snapshot_taken_total", "Snapshots written") \
    M(SNAPSHOT_FAILED, SNAPSHOT, COUNTER, "eidos_snapshot_failed_total", "Snapshots that could not be written") \
    M(SNAPSHOT_SEQUENCE, SNAPSHOT, GAUGE, "eidos_snapshot_sequence", "Command sequence of the last snapshot") \
    M(SNAPSHOT_BYTES, SNAPSHOT, GAUGE, "eidos_snapshot_bytes", "Size of the last snapshot") \
    M(SNAPSHOT_NS, SNAPSHOT, GAUGE_NS, "eidos_snapshot_duration_seconds", "Time the last snapshot took") \
    M(SNAPSHOT_TIME_NS, SNAPSHOT, GAUGE_NS, "eidos_snapshot_time_seconds", "Unix time of the last snapshot") \
    \
    M(VERIFY_CHECKED, VERIFY, COUNTER, "eidos_verify_signatures_total", "Signatures checked") \
    M(VERIFY_REFUSED, VERIFY, COUNTER, "eidos_verify_refused_total", "Requests refused") \
    M(VERIFY_REPLAYS, VERIFY, COUNTER, "eidos_verify_replays_total", "Requests refused because they were seen before") \
    M(VERIFY_LIMITED, VERIFY, COUNTER, "eidos_verify_limited_total", "Requests refused because of their wallet's rate") \
    M(VERIFY_BROKEN_RINGS, VERIFY, GAUGE, "eidos_verify_broken_rings", "Ingress rings closed because their producer broke the format") \
    \
    M(API_REQUESTS, API, COUNTER, "eidos_api_requests_total", "HTTP requests answered") \
    M(API_REQUEST_NS, API, COUNTER_NS, "eidos_api_request_seconds_total", "Time from reading to answering requests, summed") \
    M(API_CLIENT_ERRORS, API, COUNTER, "eidos_api_client_errors_total", "Answers with a 4xx status") \
    M(API_SERVER_ERRORS, API, COUNTER, "eidos_api_server_errors_total", "Answers with a 5xx status") \
    M(API_ORDERS, API, COUNTER, "eidos_api_orders_total", "Orders passed on") \
    M(API_CANCELS, API, COUNTER, "eidos_api_cancels_total", "Cancels passed on") \
    M(API_TIMEOUTS, API, COUNTER, "eidos_api_timeouts_total", "Requests that got no answer in time") \
    M(API_BUSY, API, COUNTER, "eidos_api_busy_total", "Requests refused because a ring was full") \
    M(API_CONNECTIONS, API, GAUGE, "eidos_api_connections", "Open connections") \
    M(API_CONNECTIONS_REFUSED, API, COUNTER, "eidos_api_connections_refused_total", "Connections refused by a limit") \
    M(API_SOCKETS, API, GAUGE, "eidos_api_websockets", "Open WebSocket connections") \
    M(API_PUSHES, API, COUNTER, "eidos_api_pushes_total", "WebSocket messages pushed") \
    M(API_DROPPED, API, COUNTER, "eidos_api_slow_sockets_total", "WebSocket connections closed because they read too slowly")
// clang-format on

#define METRIC_ID(id, owner, type, name, help) METRIC_##id,
enum metric { METRICS(METRIC_ID) METRIC_COUNT };
#undef METRIC_ID
_Static_assert(METRIC_COUNT <= PROC_METRICS_MAX, "the block has no room for as many metrics");

struct metric_row {
    const char *name, *help;
    u32 owner; /* enum role */
    u32 type;  /* enum metric_type */
};
extern const struct metric_row metric_table[METRIC_COUNT];

/* Add to or set a metric of the own block. One thread only. */
static inline void metric_add(struct proc_block *p, enum metric id, u64 n)
{
    u64 now = atomic_load_explicit(&p->metrics[id], memory_order_relaxed);
    atomic_store_explicit(&p->metrics[id], now + n, memory_order_relaxed);
}

static inline void metric_set(struct proc_block *p, enum metric id, u64 value)
{
    atomic_store_explicit(&p->metrics[id], value, memory_order_relaxed);
}

/* Any process. */
static inline u64 metric_get(const struct proc_block *p, enum metric id)
{
    return atomic_load_explicit(&p->metrics[id], memory_order_relaxed);
}

#endif
