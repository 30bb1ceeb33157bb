/* trading_inside.h: what the files of trading share; nobody else includes it. */
#ifndef EIDOS_SHM_TRADING_INSIDE_H
#define EIDOS_SHM_TRADING_INSIDE_H

#if defined(__GNUC__) && !defined(__clang__)
/* Two balances or fields that were stored one by one just before, joined into one wide load, cost a
 * stall. */
#pragma GCC optimize("no-tree-slp-vectorize")
#endif
#include <string.h>

#include "shm/trading.h"
#include "shm/transfers.h"

static inline u64 digest_head(const u8 *digest)
{
    u64 head;
    memcpy(&head, digest, sizeof head);
    return head;
}

static inline struct market *market_of(const struct trading *t, u16 market)
{
    return &t->rules->markets[market];
}

/* Account records, caused by the command `cause` at its time. */
/* `bytes`: of the state, as far as the record goes. */
void fill_state(const struct trading *t, struct account_state *s, const struct order *o,
                size_t bytes);
void emit_order(struct trading *t, const struct order *o, enum order_event event,
                const struct rec *cause);

/* Answers; nothing happens when `request` is 0 or this is a replay. `seq` must be durable before
 * the answer may leave. `o` may be NULL. */
void reply_order(struct trading *t, u64 request, u16 code, const struct order *o, u64 seq);
void reply_cancel(struct trading *t, u64 request, u16 code, u64 order_id, const struct order *o,
                  u32 total, u64 seq);
void reply_ops(struct trading *t, u64 request, u16 code, u64 seq);

/* Make the mark of `seq`, after which all that follows from it is done. */
void trading_mark(struct trading *t, u64 seq);

/* Apply, by kind; each is called once for each record, live and in replay. */
void apply_order(struct trading *t, const struct cmd_order *c);
void apply_cancel(struct trading *t, const struct cmd_cancel *c);
void apply_deposit(struct trading *t, const struct cmd_deposit *c);
void apply_withdraw(struct trading *t, const struct cmd_withdraw *c);
void apply_withdraw_step(struct trading *t, const struct cmd_withdraw_step *c);

/* 10^n, n in [0, 19]. */
static inline u64 pow10_u64(u32 n)
{
    u64 p = 1;
    while (n--) p *= 10;
    return p;
}

/* Every command ends with this: readers may now depend on it. */
void command_done(struct trading *t, const struct rec *cmd, const struct origin *origin);

#endif
