#include "tests/lib/history.h"

#include <string.h>
#include <unistd.h>

#include "procs/lib/logfile.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#define STEP        16U           /* messages between two turns of matching */
#define BATCH_BYTES (256UL << 10) /* of records in one write */
#define START_NS    1700000000000000000UL
#define FAR_TICKS   4000U /* how deep the book is filled, or deeper when much rests */

/* One log on its way to its files. */
struct pen {
    struct log_reader reader;
    struct logfile_writer file;
    u8 batch[BATCH_BYTES];
    u64 bytes, first, last, total;
};

struct history {
    struct engine engine;
    struct flow flow;
    struct logdir dir;
    struct pen pens[3]; /* by log index */
};

static void flush(struct pen *p)
{
    struct iovec piece = {p->batch, p->bytes};
    if (!p->bytes) return;
    CHECK(logfile_append(&p->file, &piece, 1, p->bytes, p->first, p->last) == 0);
    p->total += p->bytes;
    p->bytes = 0;
}

/* A derived record is never on disk before the command it follows from. */
static void write_down(struct history *h)
{
    for (u32 i = 0; i < COUNT_OF(h->pens); i++) {
        struct pen *p = &h->pens[i];
        for (const struct rec *rec; (rec = log_peek(&p->reader)); log_advance(&p->reader, rec)) {
            if (p->bytes + rec->length > BATCH_BYTES) flush(p);
            if (!p->bytes) p->first = rec->seq;
            memcpy(p->batch + p->bytes, rec, rec->length);
            p->bytes += rec->length;
            p->last = rec->seq;
        }
    }
}

static u32 markets_of(const struct history_plan *plan)
{
    return plan->markets ? plan->markets : FLOW_MARKETS;
}

void history_params(const struct history_plan *plan, struct topo_params *params)
{
    *params = (struct topo_params){.api = 1,
                                   .verify = 1,
                                   .matching = 1,
                                   .accounts_max = plan->accounts + 1000,
                                   .balances_max = (markets_of(plan) + 1UL) * plan->accounts + 1000,
                                   .nonce_windows_max = plan->accounts + plan->accounts / 4 + 1000,
                                   .transfers_max = 256,
                                   .orders_max = pow2_up(plan->resting + 300000UL),
                                   .resting_max = pow2_up(plan->resting + 300000UL),
                                   .command_bytes = 16UL << 20,
                                   .match_bytes = 16UL << 20,
                                   .account_bytes = 32UL << 20,
                                   .ring_bytes = 1UL << 20,
                                   .recent_trades = 1000,
                                   .markets_max = 16,
                                   .candles = MARKET_CANDLES_FEWEST};
}

static void open_all(struct history *h, const char *dir, const struct history_plan *plan)
{
    struct topo_params params;
    history_params(plan, &params);
    struct engine_sizes sizes = {.accounts = (u32)params.accounts_max,
                                 .balances = (u32)params.balances_max,
                                 .nonce_windows = (u32)params.nonce_windows_max,
                                 .orders = (u32)params.orders_max,
                                 .resting = (u32)params.resting_max,
                                 .log_bytes = 16UL << 20};
    engine_init(&h->engine, &sizes, NULL, NULL);
    flow_init(&h->flow, plan->seed, plan->accounts);
    h->flow.markets = markets_of(plan);
    CHECK(logdir_open(&h->dir, dir, true) == 0);
    h->pens[LOG_COMMAND].reader = h->engine.commands;
    h->pens[LOG_ACCOUNT].reader = h->engine.accounts;
    h->pens[LOG_MATCH(0)].reader = h->engine.matches;
    for (u32 log = 0; log < COUNT_OF(h->pens); log++)
        CHECK(logfile_writer_open(&h->pens[log].file, &h->dir, log, plan->segment_bytes, false, 0,
                                  &logfile_io_real) == 0);
    h->engine.trading.now_ns = START_NS;
}

static void begin(struct history *h, const struct history_plan *plan)
{
    flow_config_markets(h->flow.markets, &h->engine.trading);
    for (u32 i = 0; i < (h->flow.markets + 1) * plan->accounts; i++) {
        struct msg_credit m;
        flow_credit(&h->flow, i, &m);
        trading_credit(&h->engine.trading, &m, NO_SOURCE, 0);
        if (i % STEP) continue;
        engine_settle(&h->engine);
        write_down(h);
    }
}

/* Cancel the oldest open order of a random account, as its owner would. */
static void cancel_one(struct history *h)
{
    union {
        struct msg_cancel m;
        u8 room[sizeof(struct msg_cancel) + sizeof(u64)]; /* and the one id behind it */
    } c = {.m = {.head = {.length = sizeof c, .kind = MSG_CANCEL}, .market = NO_MARKET}};
    const struct trading *t = &h->engine.trading;
    u32 account = (u32)(flow_random(&h->flow) % h->flow.accounts);
    flow_wallet(account, c.m.wallet);
    u32 index = ledger_find(t->ledger, c.m.wallet),
        slot = ledger_account(t->ledger, index)->open_first;
    if (!slot) return;
    c.m.order_ids[0] = orders_slot(t->orders, slot)->view.order_id;
    c.m.count = 1;
    c.m.auth = AUTH_REQUEST;
    c.m.evidence.signature[0] = 1;
    trading_cancel(&h->engine.trading, &c.m, NO_SOURCE, 0);
}

static void step(struct history *h, const struct history_plan *plan)
{
    struct trading *t = &h->engine.trading;
    for (u32 i = 0; i < STEP; i++) {
        struct msg_order m;
        u64 r = flow_random(&h->flow);
        t->now_ns += 20000;
        bool full = t->orders->open_count >= plan->resting;
        if (full ? r & 1 : (r & 15) == 0) {
            cancel_one(h);
            continue;
        }
        flow_order(&h->flow, &m);
        if (!full && m.tif == TIF_IOC && (r >> 4 & 3)) continue; /* it grows first */
        if (m.tif == TIF_GTC && (r >> 8 & 15)) { /* most of what rests stands away from the touch */
            u128 away = (u128)(r >> 16) % max_u64(FAR_TICKS, plan->resting / 25) *
                        (1000000000000000000UL / 100);
            m.price =
                wad_make(m.side == SIDE_BUY ? wad_get(m.price) - away : wad_get(m.price) + away);
        }
        memset(m.evidence.signature, (int)(r & 0xff) | 1, sizeof m.evidence.signature);
        trading_order(t, &m, NO_SOURCE, 0);
    }
    engine_settle(&h->engine);
    write_down(h);
}

static void close_all(struct history *h, struct history_made *made)
{
    struct logfile_mark mark;
    int fd = logfile_mark_open(&h->dir, &mark);
    CHECK(fd >= 0);
    for (u32 log = 0; log < COUNT_OF(h->pens); log++) {
        struct pen *p = &h->pens[log];
        flush(p);
        CHECK(logfile_sync(&p->file) == 0);
        mark.synced[log] = p->file.seq;
        logfile_writer_close(&p->file);
    }
    CHECK(logfile_mark_write(fd, &mark, true) == 0);
    close(fd);
    *made = (struct history_made){.commands = h->pens[LOG_COMMAND].file.seq,
                                  .account_records = h->pens[LOG_ACCOUNT].file.seq,
                                  .match_records = h->pens[LOG_MATCH(0)].file.seq,
                                  .command_bytes = h->pens[LOG_COMMAND].total,
                                  .open = h->engine.trading.orders->open_count};
    logdir_close(&h->dir);
    flow_free(&h->flow);
    engine_free(&h->engine);
}

void history_make(const char *dir, const struct history_plan *plan, struct history_made *made)
{
    struct history *h = aligned_alloc(4096, align_up(sizeof *h, 4096));
    CHECK(h);
    memset(h, 0, sizeof *h);
    open_all(h, dir, plan);
    begin(h, plan);
    while (h->engine.command.seq < plan->commands) step(h, plan);
    close_all(h, made);
    free(h);
}
