/* history.h: what lately changed each wallet's money, in shared memory: own fills and the balance
 * log.
 *
 *   account log records --history_apply--> struct history_data --history_walk--> gateway workers
 *      (one writer, eidos-history)                                             (any process)
 *
 *   newest   account -> number of its newest row
 *   rows     a ring, row n at n modulo rows:
 *
 *              .. [n-4] [n-3] [n-2] [n-1] [n]
 *                   ^-----prev---^----prev--'      each names the row of its account before it
 *
 * A view of the account log: a fill is one row, so is a deposit or a withdrawal. The newest
 * `rows` of all wallets together are kept; a walk tells from when on it has everything, so that
 * whoever shows it can say what is older than it knows. What feeds it hides records whose cause is
 * not durable, so what stands here is durable.
 *
 * Readers never make the writer wait: they copy a row and then look at `claim`, which the writer
 * moves before it overwrites one. Nothing is allocated after history_new.
 */
#ifndef EIDOS_SHM_HISTORY_H
#define EIDOS_SHM_HISTORY_H

#include "shm/record.h"

#define HISTORY_MAGIC    0x3154534948534445UL
#define HISTORY_ROWS_MAX (1UL << 28)

struct history_config {
    u32 accounts_max; /* [1, 2^28] */
    u32 rows;         /* [1, HISTORY_ROWS_MAX]; 96 bytes each */
};

enum history_kind {
    HISTORY_TRADE = 1,
    HISTORY_BALANCE = 2, /* moved by something that is no order */
};

/* One row. Money in ledger units. */
struct history_row {
    u64 prev; /* the row before of this account, 0 = none that was ever held */
    u64 seq;  /* of its account record */
    u64 time_ns;
    u64 ref_id; /* trade id; HISTORY_BALANCE: of what moved it */
    u64 order_id;
    u64 price, lots; /* trade */
    u64 quote;       /* trade: quote; HISTORY_BALANCE: how much moved */
    u64 fee;         /* trade */
    u64 base_after;  /* total of the base token, or of the token, after it */
    u64 quote_after; /* trade: of the quote token, fee paid */
    u32 account;
    u16 market; /* HISTORY_BALANCE: token */
    u8 kind;
    u8 side, takes; /* trade */
    u8 gone;        /* HISTORY_BALANCE: 1 = it left the balance */
    u8 reason;      /* HISTORY_BALANCE: enum balance_reason */
    u8 zero[5];
};
SIZE_IS(struct history_row, 104);

struct history_data {
    u64 magic;
    struct history_config config;
    u64 newest_at, rows_at; /* byte offsets from this structure */
    u64 seq;                /* last account record applied; writer only */
    u64 zero[3];
    alignas(CACHE_LINE) _Atomic u64 claim; /* rows up to claim - rows are gone */
    _Atomic u64 head;                      /* rows up to here are whole */
    _Atomic u64 gone_ns; /* everything later than this is here; 0 = everything that ever was */
    _Atomic u64 through; /* every command up to this one has left its mark */
};

u64 history_align(void);
u64 history_footprint(const struct history_config *c); /* 0 = impossible */
void history_new(void *memory, const struct history_config *c);
struct history_data *history_join(void *memory);

/* ---- The writer ---- */

/* Records after `seq` will come; what was before it, up to `gone_ns`, is not known. New objects
 * only. */
void history_begin(struct history_data *h, u64 seq, u64 gone_ns);

/* Apply the next account record. -1 with err: a gap, or an account beyond accounts_max. */
int history_apply(struct history_data *h, const struct rec *rec);

/* All records of commands up to `seq` are applied (release). */
void history_set_through(struct history_data *h, u64 seq);

/* ---- Readers, any process ---- */

static inline u64 history_through(const struct history_data *h)
{
    return atomic_load_explicit(&h->through, memory_order_acquire);
}

/* Gets each row, newest first; false ends the walk. */
typedef bool history_visit_fn(void *context, const struct history_row *row);

/* Visit at most `steps` of an account's newest rows. Returns from when on that was everything: rows
 * later than this Unix time were all offered (or would have been, had the visitor not ended the
 * walk), 0 = every row there ever was. */
u64 history_walk(const struct history_data *h, u32 account, u32 steps, history_visit_fn *visit,
                 void *context);

#endif
