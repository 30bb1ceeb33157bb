/* trading.h: the state machine of eidos-trading: the sequencer, the holds, the clearing.
 *
 *   message --decide--> record in the command log --apply--> ledger, orders, account log
 *   match record --MERGE in the command log--> apply_match --> ledger, orders, account log, replies
 *
 * decide looks and writes nothing; what it found is in the record. apply does what the record says
 * and cannot fail. Live, standby, snapshot, replay and simulator run the same apply, so the command
 * log and the match log reproduce the state and every account record with the same number; so they
 * do every answer to what was logged: apply gives it, and decide only answers what leaves no record
 * (a standby gives again what a primary did not live to send). No
 * clock, no random number, no file: time comes in `now_ns` and is written into records.
 *
 * Files: trading.c (dispatch, modes, expiry), trading_order.c (accepting an order),
 * trading_cancel.c, trading_match.c (clearing), trading_transfer.c (deposits and withdrawals),
 * trading_mark.c (its checksums).
 */
#ifndef EIDOS_SHM_TRADING_H
#define EIDOS_SHM_TRADING_H

#include "shm/codes.h"
#include "shm/ledger.h"
#include "shm/log.h"
#include "shm/mark.h"
#include "shm/msg.h"
#include "shm/orders.h"
#include "shm/rules.h"

/* Receives every answer, complete but for the ring. `m` lives until the call returns. */
typedef void trading_reply_fn(void *context, const struct msg *m);

/* What was done since trading began, for metrics; no part of the state. */
struct trading_counts {
    u64 accepted, refused; /* orders; refused ones without a record too */
    u64 cancels, expired;  /* orders that a record names */
    u64 deposits, withdrawals, trades;
};

struct trading {
    struct ledger *ledger;
    struct orders *orders;
    struct rules *rules;
    struct log_writer *command; /* live only; a replay does not append commands */
    struct log_writer *account; /* discarding in a replay, but numbering all the same */
    trading_reply_fn *reply;    /* NULL in a replay */
    void *reply_context;
    u64 now_ns; /* stamps the next commands; never decreases */
    struct mark mark;
    struct trading_counts counts;
};

/* Log room to ask for (log_room) before one call of trading_order, _cancel, _credit, _mode,
 * _config or _expire, and before trading_merge of up to MERGE_MAX match records. */
#define COMMAND_STEP_BYTES  (160UL << 10) /* a cancel of MASS_CANCEL_MAX orders */
#define ACCOUNT_STEP_BYTES  (32UL << 10)
#define MERGE_MAX           64U
#define MERGE_ACCOUNT_BYTES (MERGE_MAX * 2 * sizeof(struct account_trade))

/* Orders that one request without a list cancels at most, the oldest first; asked again, it goes
 * on. */
#define MASS_CANCEL_MAX 8192U

/* Live: a message that verify has proven. Each appends at most one command (a cancel of more than
 * CANCEL_ITEMS_MAX orders: several), applies it, and replies at once where nothing is left to wait
 * for. `source` and `position` say which ingress ring it came from and where that then stands. */
void trading_order(struct trading *t, const struct msg_order *m, u16 source, u64 position);
void trading_cancel(struct trading *t, const struct msg_cancel *m, u16 source, u64 position);
void trading_credit(struct trading *t, const struct msg_credit *m, u16 source, u64 position);
void trading_withdraw(struct trading *t, const struct msg_withdraw *m, u16 source, u64 position);
void trading_withdraw_cancel(struct trading *t, const struct msg_withdraw_cancel *m, u16 source,
                             u64 position);
void trading_withdraw_step(struct trading *t, const struct msg_withdraw_step *m, u16 source,
                           u64 position);
void trading_mode(struct trading *t, const struct msg_mode *m, u16 source, u64 position);

/* Live: append a configuration record (CMD_TOKEN, CMD_MARKET, CMD_LIMITS, CMD_WITHDRAW_LIMITS,
 * CMD_START) and apply it.
 * `record` has kind and length in its head and a body that was checked. */
void trading_config(struct trading *t, const struct rec *record);

/* Live: append EXPIRE for orders whose time is up at now_ns. True while more are left. */
bool trading_expire(struct trading *t);

/* Live: admit up to MERGE_MAX records of one matching process; returns how many. */
u32 trading_merge(struct trading *t, u16 matching, struct log_reader *matches);

/* Replay: apply one command record. After a CMD_MERGE the caller applies the match records it
 * names, in order, with trading_apply_match. */
void trading_apply(struct trading *t, const struct rec *cmd);

/* Replay: the option whose arena is too small for this command, or NULL. Ask before trading_apply,
 * which relies on it. */
const char *trading_lacks(const struct trading *t, const struct rec *cmd);

/* What belongs to the life of a segment is over: ring positions, requests that wait for answers.
 * trading_apply does it with the CMD_START that begins a segment. */
void trading_forget_segment(struct trading *t);

/* Apply one match record admitted by the CMD_MERGE `merge`. */
void trading_apply_match(struct trading *t, const struct rec *match, const struct rec *merge);

/* What must stay frozen for an open order, by the hold rule of protocol.md 10: of a buy, left quote
 * + ceil(exact fee so far + left quote x larger rate) - fee charged; of a sell, what is left. */
u64 order_hold_needed(const struct order *o, const struct market *m);

/* A number over the whole logical state (accounts in index order, balances, nonces, open and closed
 * orders, totals, rules); equal states give equal numbers whatever the arenas' sizes. */
u64 trading_checksum(const struct trading *t);

#endif
