/* A trading machine that is told ahead of the messages in its ring, whatever they say, does what
 * one does that takes them one by one.
 *
 *   test_trading_ahead [seed] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define TRADING_FEW_ACCOUNTS 1U
// NOLINTNEXTLINE(bugprone-suspicious-include): the same source, built another way
#include "shm/trading_ahead.c"

#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#define ACCOUNTS   200U
#define ROUNDS     2000U
#define BURST      60U /* messages at most */
#define RING_BYTES (1UL << 17)
#define IDS        12U /* more than are asked for */

static u64 seed = 1;

struct lane {
    struct ring_tx tx;
    struct ring_rx rx;
    _Atomic u64 tail;
    void *memory;
    u64 told[TRADING_AHEAD_MESSAGE_STAGES];
    struct trading_slots slots;
};

union listed {
    struct msg_cancel m;
    u8 bytes[sizeof(struct msg_cancel) + IDS * sizeof(u64)];
};

static void open_lane(struct lane *l)
{
    l->memory = aligned_alloc(CACHE_LINE, ring_footprint(RING_BYTES));
    assert_non_null(l->memory);
    memset(l->memory, 0, ring_footprint(RING_BYTES));
    ring_new(l->memory, RING_BYTES);
    ring_join_tx(&l->tx, l->memory, &l->tail);
    ring_join_rx(&l->rx, l->memory, &l->tail);
}

static void on_reply(void *context, const struct msg *m)
{
    u64 *sum = context;
    *sum = *sum * 31 + m->request + m->kind;
}

static struct engine *engine_new(u64 *replies)
{
    struct engine *e = aligned_alloc(4096, align_up(sizeof *e, 4096));
    struct flow f;
    assert_non_null(e);
    engine_init(e, &engine_small, on_reply, replies);
    flow_init(&f, seed, ACCOUNTS);
    flow_config(&e->trading);
    flow_fund(&f, &e->trading);
    flow_free(&f);
    engine_settle(e);
    return e;
}

/* Orders as they should be, and such as trading refuses: of nobody, in no market, of no side. */
static void order(struct flow *f, struct msg_order *m)
{
    u64 r = flow_random(f);
    flow_order(f, m);
    if (r % 16 == 0) flow_wallet(ACCOUNTS + (u32)(r >> 8) % 50, m->wallet);
    if (r % 16 == 1) m->market = (u16)(r >> 8);
    if (r % 16 == 2) m->side = (u8)(r >> 8);
    if (r % 16 == 3) m->nonce -= (r >> 8) % 3;
}

/* All that a filter passes, a list of what may be orders, or one by a nonce. */
static void cancel(struct flow *f, const struct engine *e, union listed *c)
{
    u64 r = flow_random(f), used = e->trading.orders->used;
    *c = (union listed){.m.head = {.length = sizeof *c, .kind = MSG_CANCEL, .request = ++f->count}};
    flow_wallet((u32)(r % (ACCOUNTS + 10)), c->m.wallet);
    c->m.market = r >> 20 & 1 ? NO_MARKET : (u16)(r >> 21 & 3);
    c->m.auth = r >> 24 & 1 ? AUTH_CANCEL : AUTH_REQUEST;
    c->m.count = (u16)(c->m.auth == AUTH_CANCEL ? 1 : (r >> 28) % (IDS + 1));
    c->m.nonce = f->count;
    for (u32 i = 0; i < IDS; i++) {
        u64 q = flow_random(f);
        c->m.order_ids[i] = q >> 60 ? 1 + q % (used + 1) : q;
    }
}

static void put(struct lane *l, const void *m, u32 length)
{
    void *at = ring_alloc(&l->tx, length);
    assert_non_null(at);
    memcpy(at, m, length);
    ring_push(&l->tx, length);
}

static void give(struct engine *e, const struct msg *m)
{
    e->trading.now_ns++;
    if (m->kind == MSG_ORDER) trading_order(&e->trading, (const void *)m, NO_SOURCE, 0);
    else if (m->kind == MSG_CANCEL) trading_cancel(&e->trading, (const void *)m, NO_SOURCE, 0);
}

static void take(struct lane *l, struct engine *told, struct engine *plain)
{
    for (const struct msg *m; (m = ring_peek(&l->rx)); ring_pop(&l->rx, m->length)) {
        trading_look_ahead(&told->trading, &l->rx, m->length, l->told, &l->slots);
        give(told, m);
        give(plain, m);
    }
    ring_release(&l->rx);
}

static void same_as_one_by_one(void **state)
{
    static struct lane l;
    u64 replies[2] = {0};
    struct engine *told = engine_new(&replies[0]), *plain = engine_new(&replies[1]);
    struct flow f;
    (void)state;
    open_lane(&l);
    flow_init(&f, seed, ACCOUNTS);
    for (u32 k = 0; k < ROUNDS; k++) {
        u64 r = flow_random(&f);
        for (u32 i = 0; i < 1 + r % BURST; i++) {
            struct msg_order o;
            union listed c;
            struct msg other = {.length = sizeof other, .kind = MSG_REFUSED};
            u64 kind = flow_random(&f) % 16;
            if (kind > 3) order(&f, &o), put(&l, &o, sizeof o);
            else if (kind) cancel(&f, told, &c), put(&l, &c, sizeof c);
            else put(&l, &other, sizeof other);
        }
        ring_publish(&l.tx);
        if (r >> 32 & 1) memset(l.told, 0, sizeof l.told); /* as after a restart */
        take(&l, told, plain);
        engine_settle(told);
        engine_settle(plain);
        assert_true(told->command.seq == plain->command.seq);
        assert_true(told->command.digest == plain->command.digest);
        assert_true(told->account.digest == plain->account.digest);
        assert_true(replies[0] == replies[1]);
    }
    const struct trading_counts *n = &told->trading.counts;
    assert_true(n->accepted > ROUNDS && n->refused > ROUNDS && n->cancels > ROUNDS / 2);
    assert_true(n->trades > ROUNDS && n->accepted > engine_small.orders); /* slots used again */
    flow_free(&f);
    engine_free(told);
    engine_free(plain);
    free(told);
    free(plain);
    free(l.memory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_one_by_one)};
    if (argc > 1) seed = strtoul(argv[1], NULL, 0);
    printf("test_trading_ahead: seed %lu\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
