#include "shm/history.h"

#include "shm/err.h"
#include "shm/words.h"

#include <string.h>

#define ACCOUNTS_MAX (1U << 28)

u64 history_align(void)
{
    return CACHE_LINE;
}

static bool possible(const struct history_config *c)
{
    return c->accounts_max && c->accounts_max <= ACCOUNTS_MAX && c->rows &&
           c->rows <= HISTORY_ROWS_MAX;
}

static u64 lay_out(struct history_data *h, const struct history_config *c)
{
    u64 at = align_up(sizeof *h, CACHE_LINE);
    h->config = *c;
    h->newest_at = at;
    at += align_up((c->accounts_max + 1UL) * sizeof(u64), CACHE_LINE);
    h->rows_at = at;
    return at + c->rows * sizeof(struct history_row);
}

u64 history_footprint(const struct history_config *c)
{
    struct history_data h;
    return possible(c) ? lay_out(&h, c) : 0;
}

static _Atomic u64 *newest_of(const struct history_data *h, u32 account)
{
    return (_Atomic u64 *)ptr_at(h, h->newest_at) + account;
}

static struct history_row *row_at(const struct history_data *h, u64 number)
{
    return (struct history_row *)ptr_at(h, h->rows_at) + number % h->config.rows;
}

void history_new(void *memory, const struct history_config *c)
{
    struct history_data *h = memory;
    CHECK(possible(c));
    memset(h, 0, sizeof *h);
    lay_out(h, c);
    memset(ptr_at(h, h->newest_at), 0, (c->accounts_max + 1UL) * sizeof(u64));
    h->magic = HISTORY_MAGIC;
}

struct history_data *history_join(void *memory)
{
    struct history_data *h = memory;
    CHECK(h->magic == HISTORY_MAGIC);
    return h;
}

void history_begin(struct history_data *h, u64 seq, u64 gone_ns)
{
    CHECK(!h->seq && !atomic_load_explicit(&h->head, memory_order_relaxed));
    h->seq = seq;
    atomic_store_explicit(&h->gone_ns, gone_ns, memory_order_relaxed);
}

/* ---- The writer ---- */

static void append(struct history_data *h, struct history_row *row)
{
    u64 number = atomic_load_explicit(&h->head, memory_order_relaxed) + 1;
    struct history_row *to = row_at(h, number);
    if (number > h->config.rows)
        atomic_store_explicit(&h->gone_ns, to->time_ns, memory_order_relaxed);
    atomic_store_explicit(&h->claim, number, memory_order_release); /* gone_ns moves first */
    atomic_thread_fence(memory_order_release);
    row->prev = atomic_load_explicit(newest_of(h, row->account), memory_order_relaxed);
    words_put(to, row, sizeof *to);
    atomic_store_explicit(&h->head, number, memory_order_release);
    atomic_store_explicit(newest_of(h, row->account), number, memory_order_release);
}

static u64 total(const struct balance_view *b)
{
    return b->available + b->frozen;
}

static struct history_row trade_row(const struct account_trade *r)
{
    const struct order_view *o = &r->now.order;
    return (struct history_row){
        .seq = r->head.seq,
        .time_ns = r->head.time_ns,
        .ref_id = r->trade_id,
        .order_id = o->order_id,
        .price = r->price,
        .lots = r->lots,
        .quote = r->quote,
        .fee = r->fee,
        .base_after = total(&r->now.base),
        .quote_after = total(&r->now.quote),
        .account = o->account,
        .market = o->market,
        .kind = HISTORY_TRADE,
        .side = o->side,
        .takes = r->takes,
    };
}

static struct history_row balance_row(const struct account_balance_2 *record)
{
    const struct account_balance *r = &record->now;
    return (struct history_row){
        .seq = r->head.seq,
        .time_ns = r->head.time_ns,
        .ref_id = r->ref_id,
        .quote = record->amount,
        .base_after =
            r->settled_available + r->settled_frozen + r->pending_available + r->pending_frozen,
        .account = r->account,
        .market = r->token,
        .kind = HISTORY_BALANCE,
        .reason = r->reason,
        .gone = record->left,
    };
}

/* 1 = `row` is what the record says; 0 = nothing to remember. */
static int row_of(struct history_data *h, const struct rec *rec, struct history_row *row)
{
    if (rec->kind == ACCOUNT_TRADE) *row = trade_row((const void *)rec);
    else if (rec->kind != ACCOUNT_BALANCE) return 0;
    else if (rec->version >= 2) *row = balance_row((const void *)rec);
    else { /* does not say how much moved: the log of balances is whole only after it */
        atomic_store_explicit(&h->gone_ns, rec->time_ns, memory_order_relaxed);
        return 0;
    }
    return 1;
}

int history_apply(struct history_data *h, const struct rec *rec)
{
    struct history_row row;
    if (rec->seq != h->seq + 1)
        return err_set("account record %lu came where %lu was expected", rec->seq, h->seq + 1);
    if (row_of(h, rec, &row)) {
        if (row.account > h->config.accounts_max)
            return err_set("account record %lu is of account %u; there is room for %u", rec->seq,
                           row.account, h->config.accounts_max);
        append(h, &row);
    }
    h->seq = rec->seq;
    return 0;
}

void history_set_through(struct history_data *h, u64 seq)
{
    atomic_store_explicit(&h->through, seq, memory_order_release);
}

/* ---- Readers ---- */

/* Copy row `number`; false when it is overwritten. */
static bool read_row(const struct history_data *h, u64 number, struct history_row *row)
{
    words_get(row, row_at(h, number), sizeof *row);
    atomic_thread_fence(memory_order_acquire);
    return number + h->config.rows > atomic_load_explicit(&h->claim, memory_order_acquire);
}

u64 history_walk(const struct history_data *h, u32 account, u32 steps, history_visit_fn *visit,
                 void *context)
{
    struct history_row row;
    u64 last_ns = 0, number = 0;
    if (account <= h->config.accounts_max)
        number = atomic_load_explicit(newest_of(h, account), memory_order_acquire);
    for (; number && steps; steps--) {
        if (!read_row(h, number, &row) || row.prev >= number) {
            number = 0;
            break;
        }
        last_ns = row.time_ns;
        number = row.prev;
        if (!visit(context, &row)) break;
    }
    u64 gone_ns = atomic_load_explicit(&h->gone_ns, memory_order_relaxed);
    return number && !steps ? max_u64(gone_ns, last_ns) : gone_ns;
}
