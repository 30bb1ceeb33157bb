/* Accounts, balances and the window of nonces, against plain models. */
#include "shm/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEED     71U
#define ACCOUNTS 300U

static u64 random_state = SEED;

/* xorshift64 (Marsaglia 2003) */
static u64 random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct ledger *make(u32 accounts, u32 balances, u32 windows)
{
    struct ledger_config c = {.accounts_max = accounts,
                              .balances_max = balances,
                              .nonce_windows_max = windows,
                              .transfers_max = 256};
    void *memory = aligned_alloc(CACHE_LINE, align_up(ledger_footprint(&c), CACHE_LINE));
    assert_non_null(memory);
    memset(memory, 0xa5, ledger_footprint(&c)); /* the format may not count on zeros */
    ledger_new(memory, &c);
    return ledger_join(memory);
}

static void wallet_of(u32 i, u8 *wallet)
{
    memset(wallet, 0x11, WALLET_BYTES);
    memcpy(wallet + 16, &i, sizeof i);
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    struct ledger_config c = {
        .accounts_max = 1, .balances_max = 1, .nonce_windows_max = 1, .transfers_max = 256};
    assert_true(ledger_footprint(&c) > 0);
    c.accounts_max = 0;
    assert_int_equal(ledger_footprint(&c), 0);
    c.accounts_max = (1U << 28) + 1;
    assert_int_equal(ledger_footprint(&c), 0);
}

static void test_accounts_are_found_until_full(void **state)
{
    (void)state;
    struct ledger *l = make(ACCOUNTS, 8, 8);
    u8 wallet[WALLET_BYTES];
    for (u32 i = 0; i < ACCOUNTS; i++) {
        wallet_of(i, wallet);
        assert_int_equal(ledger_find(l, wallet), NO_ACCOUNT);
        assert_int_equal(ledger_open_account(l, wallet, 5), i + 1);
    }
    wallet_of(ACCOUNTS, wallet);
    assert_int_equal(ledger_open_account(l, wallet, 5), NO_ACCOUNT);
    for (u32 i = 0; i < ACCOUNTS; i++) {
        wallet_of(i, wallet);
        assert_int_equal(ledger_find(l, wallet), i + 1);
        assert_int_equal(ledger_open_account(l, wallet, 6), i + 1);
    }
    free(l);
}

static void test_balances_are_rows_until_full(void **state)
{
    (void)state;
    struct ledger *l = make(4, 3, 1);
    struct balance copy[8];
    u64 seq;
    u8 wallet[WALLET_BYTES];
    wallet_of(1, wallet);
    u32 account = ledger_open_account(l, wallet, 5);
    assert_null(ledger_balance(l, account, 7));
    for (u16 token = 0; token < 3; token++) {
        struct balance *b = ledger_open_balance(l, account, token);
        assert_ptr_equal(b, ledger_balance(l, account, token));
        b->available = 10U + token;
        l->totals[token].deposits = 10U + token;
    }
    assert_null(ledger_open_balance(l, account, 3));
    assert_int_equal(ledger_read_balances(l, account, copy, 8, &seq), 3);
    struct ledger_sum sum;
    ledger_sum(l, 2, &sum);
    assert_true(sum.conserved && sum.available == 12);
    ledger_balance(l, account, 2)->frozen++;
    ledger_sum(l, 2, &sum);
    assert_false(sum.conserved);
    free(l);
}

/* The naive window: a list of what was accepted, searched from end to end. */
struct model {
    u64 nonce[NONCES_HELD + 1], digest[NONCES_HELD + 1], outcome[NONCES_HELD + 1];
    u32 count;
};

static u32 model_smallest(const struct model *m)
{
    u32 at = 0;
    for (u32 i = 1; i < m->count; i++)
        if (m->nonce[i] < m->nonce[at]) at = i;
    return at;
}

static enum nonce_state model_look(const struct model *m, u64 nonce, u64 digest, u64 *outcome)
{
    for (u32 i = 0; i < m->count; i++)
        if (m->nonce[i] == nonce) {
            *outcome = m->outcome[i];
            return m->digest[i] == digest ? NONCE_SEEN : NONCE_SPENT;
        }
    if (m->count < NONCES_HELD) return NONCE_FREE;
    return nonce < m->nonce[model_smallest(m)] ? NONCE_SPENT : NONCE_FREE;
}

static void model_use(struct model *m, u64 nonce, u64 digest, u64 outcome)
{
    if (m->count == NONCES_HELD) {
        u32 at = model_smallest(m), last = --m->count;
        m->nonce[at] = m->nonce[last];
        m->digest[at] = m->digest[last];
        m->outcome[at] = m->outcome[last];
    }
    m->nonce[m->count] = nonce;
    m->digest[m->count] = digest;
    m->outcome[m->count++] = outcome;
}

/* Windows that fill side by side, and at different paces. */
static const struct {
    u32 account; /* of two */
    enum nonce_use use;
} windows[] = {{0, NONCE_CANCEL}, {1, NONCE_CANCEL}, {1, NONCE_ORDER}};

static void test_nonces_against_a_list(void **state)
{
    (void)state;
    print_message("seed %u\n", SEED);
    struct ledger *l = make(2, 1, COUNT_OF(windows));
    static struct model models[COUNT_OF(windows)];
    u32 accounts[2], seen[3] = {0};
    u8 wallet[WALLET_BYTES];
    for (u32 i = 0; i < 2; i++) {
        wallet_of(9 + i, wallet);
        accounts[i] = ledger_open_account(l, wallet, 5);
    }
    for (u64 i = 0; i < 40000; i++) {
        u64 nonce = i / 16 + random_u64() % 400, digest = random_u64() % 2;
        u64 outcome = 0, expected = 0, w = random_u64() % 6 % COUNT_OF(windows) % (1 + i % 3);
        u32 account = accounts[windows[w].account];
        enum nonce_state said = nonce_look(l, account, windows[w].use, nonce, digest, &outcome);
        assert_int_equal(said, model_look(&models[w], nonce, digest, &expected));
        assert_int_equal(outcome, expected);
        seen[said]++;
        if (said != NONCE_FREE) continue;
        assert_true(nonce_room(l, account, windows[w].use));
        nonce_use(l, account, windows[w].use, nonce, digest, i);
        model_use(&models[w], nonce, digest, i);
    }
    assert_true(seen[NONCE_FREE] > 500 && seen[NONCE_SEEN] > 500 && seen[NONCE_SPENT] > 500);
    u64 floor, last = 0;
    for (u32 w = 0; w < COUNT_OF(windows); w++) {
        u32 account = accounts[windows[w].account];
        assert_int_equal(nonce_count(l, account, windows[w].use, &floor), NONCES_HELD);
        for (u32 i = 0; i < NONCES_HELD; i++) {
            u64 nonce, digest, outcome;
            nonce_at(l, account, windows[w].use, i, &nonce, &digest, &outcome);
            assert_true(nonce > floor && (!i || nonce > last));
            last = nonce;
        }
    }
    assert_int_equal(nonce_look(l, accounts[0], NONCE_ORDER, 1, 1, &last), NONCE_FREE);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_accounts_are_found_until_full),
        cmocka_unit_test(test_balances_are_rows_until_full),
        cmocka_unit_test(test_nonces_against_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
