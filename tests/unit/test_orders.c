/* Order slots, lists, client ids and expiry, against plain models. */
#include "shm/orders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEED     907U
#define ACCOUNTS 5U
#define SLOTS    200U
#define STEPS    40000U

static u64 random_state = SEED;

/* xorshift64 (Marsaglia 2003) */
static u64 random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* What an order is here: alive or closed, with its owner, client id and expiry. */
struct model_order {
    u64 id, expire_ns, seq;
    u32 account;
    u8 client; /* 0 = none */
    bool open;
};

static struct model_order model[STEPS];
static u32 model_count;
static struct ledger *ledger;
static struct orders *orders;

static void set_up(void)
{
    struct ledger_config c = {.accounts_max = ACCOUNTS,
                              .balances_max = ACCOUNTS,
                              .nonce_windows_max = 1,
                              .transfers_max = 256};
    void *l = aligned_alloc(CACHE_LINE, align_up(ledger_footprint(&c), CACHE_LINE));
    void *o = aligned_alloc(CACHE_LINE, align_up(orders_footprint(SLOTS), CACHE_LINE));
    assert_true(l && o);
    memset(o, 0xa5, orders_footprint(SLOTS)); /* the format may not count on zeros */
    ledger_new(l, &c);
    orders_new(o, SLOTS);
    ledger = ledger_join(l);
    orders = orders_join(o);
    for (u8 i = 0; i < ACCOUNTS; i++) {
        u8 wallet[WALLET_BYTES] = {i};
        assert_int_equal(ledger_open_account(ledger, wallet, 1), i + 1);
    }
}

static struct model_order *open_by_client(u32 account, u8 client)
{
    for (u32 i = 0; i < model_count; i++)
        if (model[i].open && model[i].account == account && model[i].client == client)
            return &model[i];
    return NULL;
}

static void place(u64 seq)
{
    struct model_order m = {.id = orders_next_id(orders), .seq = seq, .open = true};
    if (!m.id) return;
    m.account = (u32)(random_u64() % ACCOUNTS) + 1;
    m.expire_ns = random_u64() % 3 ? 0 : seq + random_u64() % 50;
    m.client = (u8)(random_u64() % 40);
    if (m.client && open_by_client(m.account, m.client)) m.client = 0;
    struct order *o = orders_take(orders, ledger, m.id, seq);
    struct account *a = ledger_account(ledger, m.account);
    account_begin(a, seq);
    o->view.account = m.account;
    o->view.market = (u16)(m.id % 3);
    o->view.expire_ns = m.expire_ns;
    o->view.client_id_length = m.client ? 2 : 0;
    o->view.client_id[0] = m.client;
    o->seq = seq;
    orders_link_open(orders, ledger, o);
    account_end(a);
    model[model_count++] = m;
}

static void close_order(struct model_order *m, u64 seq)
{
    struct order *o = orders_find(orders, m->id);
    assert_non_null(o);
    struct account *a = ledger_account(ledger, m->account);
    account_begin(a, seq);
    o->view.status = STATUS_CANCELLED;
    orders_close(orders, ledger, o);
    account_end(a);
    m->open = false;
}

static void close_any(u64 seq)
{
    u32 from = (u32)(random_u64() % (model_count ? model_count : 1));
    for (u32 i = 0; i < model_count; i++) {
        struct model_order *m = &model[(from + i) % model_count];
        if (!m->open) continue;
        close_order(m, seq);
        return;
    }
}

static void expire(u64 now)
{
    struct order *o;
    while ((o = orders_first_expired(orders, now))) {
        struct model_order *best = NULL;
        for (u32 i = 0; i < model_count; i++) {
            struct model_order *m = &model[i];
            if (!m->open || !m->expire_ns || m->expire_ns > now) continue;
            if (!best || m->expire_ns < best->expire_ns) best = m; /* ties: earliest accepted */
        }
        assert_non_null(best);
        if (!best) return; /* not reached; the linter does not know cmocka */
        assert_int_equal(o->view.order_id, best->id);
        close_order(best, now);
    }
}

static void check_clients(void)
{
    for (u32 account = 1; account <= ACCOUNTS; account++)
        for (u8 client = 1; client < 40; client++) {
            u8 id[2] = {client};
            struct order *o = orders_find_client(orders, account, id, 2);
            struct model_order *m = open_by_client(account, client);
            assert_int_equal(o ? o->view.order_id : 0, m ? m->id : 0);
        }
}

static void check_lists(void)
{
    u32 open = 0;
    for (u32 account = 1; account <= ACCOUNTS; account++) {
        struct account *a = ledger_account(ledger, account);
        u32 at = 0, count = 0;
        for (u32 s = a->open_first; s; s = orders_slot(orders, s)->next, count++) {
            while (at < model_count && !(model[at].open && model[at].account == account)) at++;
            assert_true(at < model_count);
            assert_int_equal(orders_slot(orders, s)->view.order_id, model[at++].id);
        }
        assert_int_equal(count, a->open_count);
        u32 by_market = 0;
        for (u16 m = 0; m < 3; m++) by_market += orders_count_open(orders, a, m);
        assert_int_equal(by_market, count);
        open += count;
    }
    assert_int_equal(open, orders->open_count);
}

static void test_against_a_list(void **state)
{
    (void)state;
    print_message("seed %u\n", SEED);
    set_up();
    for (u64 seq = 1; seq <= STEPS / 10; seq++) {
        if (random_u64() % 100 < 60) place(seq);
        else close_any(seq);
        expire(seq);
        if (seq % 50 == 0) {
            check_lists();
            check_clients();
        }
    }
    /* Every id was given once; what is still found is itself. */
    for (u32 i = 0; i < model_count; i++) {
        for (u32 j = i + 1; j < model_count && j < i + 300; j++)
            assert_int_not_equal(model[i].id, model[j].id);
        struct order *o = orders_find(orders, model[i].id);
        assert_true(!model[i].open || o);
        assert_true(!o || o->view.account == model[i].account);
    }
    assert_true(model[model_count - 1].id >> 32 > 3); /* slots were used again and again */
    free(ledger);
    free(orders);
}

static void test_full_arena_has_no_id(void **state)
{
    (void)state;
    model_count = 0;
    set_up();
    for (u64 seq = 1; seq < SLOTS; seq++) place(seq);
    assert_int_equal(orders_next_id(orders), 0);
    u64 oldest = model[7].id;
    close_order(&model[7], SLOTS);
    assert_int_equal(orders_next_id(orders), oldest + (1UL << 32));
    free(ledger);
    free(orders);
}

static void test_readers_page_and_filter(void **state)
{
    (void)state;
    model_count = 0;
    set_up();
    struct order_view page[10], one;
    struct orders_found found;
    u64 seq, closed = 0, mine = 0;
    for (u64 i = 1; i <= 100; i++) place(i);
    for (u32 i = 0; i < 40; i++) close_any(101);
    for (u32 i = 0; i < model_count; i++)
        if (model[i].account == 2) mine++, closed += !model[i].open;
    struct orders_query q = {
        .account = 2, .market = NO_MARKET, .open = true, .closed = true, .max = 10, .skip = 3};
    int count = orders_read_list(orders, ledger, &q, page, &found);
    assert_int_equal(found.total, mine);
    assert_int_equal(count, min_u64(10, mine - 3));
    q = (struct orders_query){.account = 2, .market = NO_MARKET, .closed = true, .max = 10};
    q.status_mask = 1U << STATUS_CANCELLED;
    orders_read_list(orders, ledger, &q, page, &found);
    assert_int_equal(found.total, closed);
    assert_int_equal(found.gone_ns, 0);
    q.status_mask = 1U << STATUS_FILLED;
    assert_int_equal(orders_read_list(orders, ledger, &q, page, &found), 0);
    assert_int_equal(orders_read(orders, ledger, model[5].id, &one, &seq), 1);
    assert_int_equal(one.order_id, model[5].id);
    assert_int_equal(orders_read(orders, ledger, model[5].id + (1UL << 32), &one, &seq), 0);
    assert_int_equal(orders_read(orders, ledger, 0, &one, &seq), 0);
    assert_int_equal(orders_read(orders, ledger, UINT64_MAX, &one, &seq), 0);
    /* A writer that died inside the account must not hang a reader. */
    account_begin(ledger_account(ledger, 2), 200);
    assert_int_equal(orders_read_list(orders, ledger, &q, page, &found), READ_BUSY);
    account_end(ledger_account(ledger, 2));
    assert_int_not_equal(orders_read_list(orders, ledger, &q, page, &found), READ_BUSY);
    free(ledger);
    free(orders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_list),
        cmocka_unit_test(test_full_arena_has_no_id),
        cmocka_unit_test(test_readers_page_and_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
