/* What each kind of region promises to a program that attaches. A field that a reader uses stands
 * here; the compiler fills in the numbers, and two builds compare them as text. */
#include "shm/book_cells.h"
#include "shm/durable.h"
#include "shm/guard.h"
#include "shm/history.h"
#include "shm/limits.h"
#include "shm/log.h"
#include "shm/market_cells.h"
#include "shm/metrics.h"
#include "shm/msg.h"
#include "shm/orders.h"
#include "shm/proc.h"
#include "shm/region.h"
#include "shm/ring.h"
#include "shm/trace.h"
#include "shm/transfers.h"

#define END \
    { \
        NULL, 0, 0 \
    }

static const struct layout_row proc_rows[] = {LAYOUT_SIZE(proc_block),
                                              LAYOUT_ROW(proc_block, role),
                                              LAYOUT_ROW(proc_block, state),
                                              LAYOUT_ROW(proc_block, guards),
                                              LAYOUT_ROW(proc_block, pid),
                                              LAYOUT_ROW(proc_block, start_ticks),
                                              LAYOUT_ROW(proc_block, epoch),
                                              LAYOUT_ROW(proc_block, ops_port),
                                              LAYOUT_ROW(proc_block, port),
                                              LAYOUT_ROW(proc_block, beat_ns),
                                              LAYOUT_ROW(proc_block, turns),
                                              LAYOUT_ROW(proc_block, busy_turns),
                                              LAYOUT_ROW(proc_block, worked_ns),
                                              LAYOUT_ROW(proc_block, waited_ns),
                                              LAYOUT_ROW(proc_block, blocked_ns),
                                              LAYOUT_ROW(proc_block, slept_ns),
                                              LAYOUT_ROW(proc_block, sleeping),
                                              LAYOUT_ROW(proc_block, ring_tail),
                                              LAYOUT_ROW(proc_block, log_cursor),
                                              LAYOUT_ROW(proc_block, log_seq),
                                              LAYOUT_ROW(proc_block, derived),
                                              LAYOUT_ROW(proc_block, marks),
                                              LAYOUT_ROW(proc_block, metrics),
                                              {"metrics", METRIC_SCHEMA, METRIC_WORDS},
                                              LAYOUT_ROW(proc_block, note),
                                              LAYOUT_ROW(proc_block, served_ports),
                                              LAYOUT_ROW(proc_block, log_levels),
                                              END};

static const struct layout_row ring_rows[] = {LAYOUT_ROW(ring, capacity),
                                              LAYOUT_ROW(ring, head),
                                              LAYOUT_SIZE(ring),
                                              LAYOUT_SIZE(msg),
                                              LAYOUT_ROW(msg, request),
                                              LAYOUT_ROW(msg, sent_ns),
                                              LAYOUT_SIZE(msg_order),
                                              LAYOUT_ROW(msg_order, price),
                                              LAYOUT_ROW(msg_order, nonce),
                                              LAYOUT_ROW(msg_order, market),
                                              LAYOUT_ROW(msg_order, side),
                                              LAYOUT_ROW(msg_order, wallet),
                                              LAYOUT_ROW(msg_order, client_id),
                                              LAYOUT_ROW(msg_order, evidence),
                                              LAYOUT_SIZE(msg_cancel),
                                              LAYOUT_ROW(msg_cancel, count),
                                              LAYOUT_ROW(msg_cancel, auth),
                                              LAYOUT_ROW(msg_cancel, wallet),
                                              LAYOUT_ROW(msg_cancel, path),
                                              LAYOUT_ROW(msg_cancel, evidence),
                                              LAYOUT_SIZE(msg_refused),
                                              LAYOUT_SIZE(msg_credit),
                                              LAYOUT_SIZE(msg_mode),
                                              LAYOUT_SIZE(msg_reply_order),
                                              LAYOUT_ROW(msg_reply_order, code),
                                              LAYOUT_ROW(msg_reply_order, order),
                                              LAYOUT_SIZE(msg_reply_cancel),
                                              LAYOUT_ROW(msg_reply_cancel, total),
                                              LAYOUT_ROW(msg_reply_cancel, order),
                                              LAYOUT_SIZE(msg_reply_ops),
                                              LAYOUT_SIZE(msg_withdraw),
                                              LAYOUT_ROW(msg_withdraw, token),
                                              LAYOUT_ROW(msg_withdraw, to_address),
                                              LAYOUT_ROW(msg_withdraw, evidence),
                                              LAYOUT_SIZE(msg_withdraw_cancel),
                                              LAYOUT_SIZE(msg_withdraw_step),
                                              LAYOUT_SIZE(msg_reply_withdraw),
                                              LAYOUT_SIZE(transfer_view),
                                              END};

static const struct layout_row log_rows[] = {LAYOUT_ROW(log, capacity),
                                             LAYOUT_ROW(log, data),
                                             LAYOUT_ROW(log, marks),
                                             LAYOUT_ROW(log, head),
                                             LAYOUT_ROW(log, claim),
                                             LAYOUT_SIZE(log_mark),
                                             LAYOUT_SIZE(rec),
                                             LAYOUT_ROW(rec, seq),
                                             LAYOUT_ROW(rec, time_ns),
                                             LAYOUT_ROW(rec, cause),
                                             LAYOUT_ROW(rec, length),
                                             LAYOUT_ROW(rec, crc),
                                             LAYOUT_ROW(rec, kind),
                                             LAYOUT_SIZE(cmd_start),
                                             LAYOUT_SIZE(cmd_start_2),
                                             LAYOUT_SIZE(cmd_token),
                                             LAYOUT_SIZE(cmd_market),
                                             LAYOUT_SIZE(cmd_limits),
                                             LAYOUT_SIZE(cmd_deposit),
                                             LAYOUT_SIZE(cmd_deposit_2),
                                             LAYOUT_SIZE(cmd_withdraw),
                                             LAYOUT_SIZE(cmd_withdraw_step),
                                             LAYOUT_SIZE(cmd_withdraw_limits),
                                             LAYOUT_SIZE(cmd_order),
                                             LAYOUT_ROW(cmd_order, order_id),
                                             LAYOUT_ROW(cmd_order, price),
                                             LAYOUT_ROW(cmd_order, lots),
                                             LAYOUT_ROW(cmd_order, market),
                                             LAYOUT_ROW(cmd_order, evidence),
                                             LAYOUT_SIZE(cmd_cancel),
                                             LAYOUT_SIZE(cancel_item),
                                             LAYOUT_SIZE(cmd_merge),
                                             LAYOUT_ROW(cmd_merge, through),
                                             LAYOUT_SIZE(cmd_mode),
                                             LAYOUT_SIZE(match_order),
                                             LAYOUT_SIZE(match_trade),
                                             LAYOUT_SIZE(match_best),
                                             LAYOUT_SIZE(order_view),
                                             LAYOUT_ROW(order_view, status),
                                             LAYOUT_ROW(order_view, wallet),
                                             LAYOUT_SIZE(account_order),
                                             LAYOUT_SIZE(account_balance),
                                             LAYOUT_SIZE(account_balance_2),
                                             LAYOUT_SIZE(account_trade),
                                             END};

static const struct layout_row ledger_rows[] = {LAYOUT_SIZE(ledger),
                                                LAYOUT_ROW(ledger, accounts_at),
                                                LAYOUT_ROW(ledger, balances_at),
                                                LAYOUT_ROW(ledger, nonces_at),
                                                LAYOUT_ROW(ledger, nonce_blocks_at),
                                                LAYOUT_ROW(ledger, hash_at),
                                                LAYOUT_ROW(ledger, hash_mask),
                                                LAYOUT_ROW(ledger, seq),
                                                LAYOUT_ROW(ledger, totals),
                                                LAYOUT_ROW(ledger, in_flight),
                                                LAYOUT_ROW(ledger, transfers_at),
                                                LAYOUT_ROW(ledger, transfers_gone_ns),
                                                LAYOUT_SIZE(transfer),
                                                LAYOUT_ROW(account, transfers_last),
                                                LAYOUT_SIZE(account),
                                                LAYOUT_ROW(account, wallet),
                                                LAYOUT_ROW(account, version),
                                                LAYOUT_ROW(account, balances),
                                                LAYOUT_ROW(account, nonces),
                                                LAYOUT_ROW(account, open_first),
                                                LAYOUT_ROW(account, closed_first),
                                                LAYOUT_ROW(account, seq),
                                                LAYOUT_SIZE(balance),
                                                LAYOUT_ROW(balance, available),
                                                LAYOUT_ROW(balance, pending_available),
                                                LAYOUT_ROW(balance, next),
                                                LAYOUT_ROW(balance, token),
                                                LAYOUT_SIZE(nonces),
                                                LAYOUT_SIZE(nonce_block),
                                                LAYOUT_SIZE(token_total),
                                                END};

static const struct layout_row orders_rows[] = {LAYOUT_SIZE(orders),
                                                LAYOUT_ROW(orders, slots),
                                                LAYOUT_ROW(orders, orders_at),
                                                LAYOUT_ROW(orders, gone_ns),
                                                LAYOUT_ROW(orders, markets),
                                                LAYOUT_SIZE(order),
                                                LAYOUT_ROW(order, view),
                                                LAYOUT_ROW(order, seq),
                                                LAYOUT_ROW(order, prev),
                                                LAYOUT_ROW(order, next),
                                                LAYOUT_SIZE(order_view),
                                                LAYOUT_ROW(order_view, status),
                                                LAYOUT_ROW(order_view, wallet),
                                                LAYOUT_ROW(order_view, client_id),
                                                LAYOUT_SIZE(market_state),
                                                END};

static const struct layout_row rules_rows[] = {LAYOUT_SIZE(rules),
                                               LAYOUT_ROW(rules, version),
                                               LAYOUT_ROW(rules, token_count),
                                               LAYOUT_ROW(rules, market_count),
                                               LAYOUT_ROW(rules, tokens),
                                               LAYOUT_ROW(rules, markets),
                                               LAYOUT_ROW(rules, withdraw),
                                               LAYOUT_SIZE(token),
                                               LAYOUT_ROW(token, decimals),
                                               LAYOUT_SIZE(market),
                                               LAYOUT_ROW(market, base),
                                               LAYOUT_ROW(market, mode),
                                               LAYOUT_ROW(market, tick_wad),
                                               LAYOUT_ROW(market, lot_units),
                                               LAYOUT_ROW(market, tick_lot),
                                               END};

static const struct layout_row books_rows[] = {
    LAYOUT_SIZE(books),          LAYOUT_ROW(books, config),
    LAYOUT_SIZE(book_cell),      LAYOUT_ROW(book_cell, lots),
    LAYOUT_ROW(book_cell, id),   LAYOUT_SIZE(book_half),
    LAYOUT_ROW(book_half, best), END};

static const struct layout_row market_rows[] = {LAYOUT_SIZE(market_data),
                                                LAYOUT_ROW(market_data, epoch),
                                                LAYOUT_ROW(market_data, shape),
                                                LAYOUT_ROW(market_data, publications),
                                                LAYOUT_SIZE(market_shape),
                                                LAYOUT_ROW(market_shape, config),
                                                LAYOUT_ROW(market_shape, candles_at),
                                                LAYOUT_ROW(market_shape, changes_at),
                                                LAYOUT_ROW(market_shape, trades_at),
                                                LAYOUT_ROW(market_shape, chunks_at),
                                                LAYOUT_SIZE(market_book),
                                                LAYOUT_ROW(market_book, claim),
                                                LAYOUT_ROW(market_book, head),
                                                LAYOUT_ROW(market_book, applied),
                                                LAYOUT_ROW(market_book, trade_claim),
                                                LAYOUT_ROW(market_book, trade_head),
                                                LAYOUT_ROW(market_book, open),
                                                LAYOUT_SIZE(level_chunk),
                                                LAYOUT_ROW(level_chunk, version),
                                                LAYOUT_ROW(level_chunk, next),
                                                LAYOUT_ROW(level_chunk, cells),
                                                LAYOUT_SIZE(level_cell),
                                                LAYOUT_SIZE(candle),
                                                LAYOUT_SIZE(candle_ring),
                                                LAYOUT_ROW(candle_ring, head),
                                                LAYOUT_ROW(market_book, candles),
                                                LAYOUT_ROW(market_shape, candles_from),
                                                LAYOUT_SIZE(market_change),
                                                LAYOUT_SIZE(market_trade),
                                                END};

static const struct layout_row durable_rows[] = {
    LAYOUT_SIZE(durable),          LAYOUT_ROW(durable, seq),    LAYOUT_ROW(durable, written),
    LAYOUT_ROW(durable, low_disk), LAYOUT_ROW(durable, synced), END};

static const struct layout_row history_rows[] = {
    LAYOUT_SIZE(history_data),         LAYOUT_ROW(history_data, newest_at),
    LAYOUT_ROW(history_data, rows_at), LAYOUT_ROW(history_data, claim),
    LAYOUT_ROW(history_data, gone_ns), LAYOUT_ROW(history_data, through),
    LAYOUT_SIZE(history_row),          LAYOUT_ROW(history_row, ref_id),
    LAYOUT_ROW(history_row, account),  LAYOUT_ROW(history_row, kind),
    LAYOUT_ROW(history_row, reason),   END};

static const struct layout_row trace_rows[] = {
    LAYOUT_SIZE(trace),          LAYOUT_ROW(trace, capacity),    LAYOUT_ROW(trace, head),
    LAYOUT_SIZE(trace_entry),    LAYOUT_ROW(trace_entry, t),     LAYOUT_ROW(trace_entry, seq),
    LAYOUT_ROW(trace_entry, id), LAYOUT_ROW(trace_entry, value), END};
static const struct layout_row limits_rows[] = {
    LAYOUT_SIZE(limits),           LAYOUT_ROW(limits, slots),     LAYOUT_SIZE(limits_slot),
    LAYOUT_ROW(limits_slot, used), LAYOUT_ROW(limits_slot, open), END};

static const struct layout_row guard_rows[] = {
    LAYOUT_SIZE(guard_bucket),         LAYOUT_SIZE(guard_key),
    LAYOUT_ROW(guard_memory, salt),    LAYOUT_ROW(guard_memory, start_ms),
    LAYOUT_ROW(guard_memory, buckets), END};

const struct layout_row *region_layout(u32 kind)
{
    static const struct layout_row *const kinds[] = {
        [REGION_PROC] = proc_rows,       [REGION_RING] = ring_rows,
        [REGION_LOG] = log_rows,         [REGION_LEDGER] = ledger_rows,
        [REGION_ORDERS] = orders_rows,   [REGION_RULES] = rules_rows,
        [REGION_BOOKS] = books_rows,     [REGION_MARKET] = market_rows,
        [REGION_DURABLE] = durable_rows, [REGION_HISTORY] = history_rows,
        [REGION_TRACE] = trace_rows,     [REGION_LIMITS] = limits_rows,
        [REGION_GUARD] = guard_rows,
    };
    CHECK(kind < COUNT_OF(kinds) && kinds[kind]);
    return kinds[kind];
}
