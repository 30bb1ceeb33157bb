#include "shm/transfers.h"

#include <string.h>

#define ROWS_MAX (1U << 28)

u64 ledger_align(void)
{
    return CACHE_LINE;
}

static bool possible(const struct ledger_config *c)
{
    return c->accounts_max && c->accounts_max <= ROWS_MAX && c->balances_max &&
           c->balances_max <= ROWS_MAX && c->nonce_windows_max &&
           c->nonce_windows_max <= ROWS_MAX && c->transfers_max && c->transfers_max <= ROWS_MAX;
}

/* Row 0 of each table is nobody, so tables have one row more than rows. */
static void lay_out(struct ledger *l, const struct ledger_config *c, u64 *size)
{
    u64 at = align_up(sizeof(struct ledger), CACHE_LINE);
    l->config = *c;
    l->accounts_at = at;
    at += (c->accounts_max + 1UL) * sizeof(struct account);
    l->balances_at = at;
    at += (c->balances_max + 1UL) * sizeof(struct balance);
    l->nonces_at = at;
    at += (c->nonce_windows_max + 1UL) * sizeof(struct nonces);
    l->nonce_blocks_at = at = align_up(at, CACHE_LINE);
    at += (c->nonce_windows_max * (u64)NONCES_BLOCKS + 1) * sizeof(struct nonce_block);
    l->transfers_at = at = align_up(at, CACHE_LINE);
    at += (c->transfers_max + 1UL) * sizeof(struct transfer);
    l->hash_at = at = align_up(at, CACHE_LINE);
    l->hash_mask = (u32)pow2_up(2UL * c->accounts_max) - 1;
    *size = at + (l->hash_mask + 1UL) * sizeof(u32);
}

u64 ledger_footprint(const struct ledger_config *c)
{
    struct ledger l;
    u64 size;
    if (!possible(c)) return 0;
    lay_out(&l, c, &size);
    return size;
}

void ledger_new(void *memory, const struct ledger_config *c)
{
    struct ledger *l = memory;
    u64 size;
    CHECK(possible(c));
    memset(l, 0, sizeof *l);
    lay_out(l, c, &size);
    memset((u8 *)memory + l->hash_at, 0, (l->hash_mask + 1UL) * sizeof(u32));
    memset(ledger_account(l, 0), 0, sizeof(struct account));
    memset(ledger_row(l, 0), 0, sizeof(struct balance));
    memset(transfers_slot(l, 0), 0, (c->transfers_max + 1UL) * sizeof(struct transfer));
    l->magic = LEDGER_MAGIC;
}

struct ledger *ledger_join(void *memory)
{
    struct ledger *l = memory;
    CHECK(l->magic == LEDGER_MAGIC);
    return l;
}

static _Atomic u32 *hash_slot(const struct ledger *l, u32 i)
{
    return (_Atomic u32 *)ptr_at(l, l->hash_at) + i;
}

/* Addresses are Keccak output; one multiply spreads the bytes that a miner of addresses did not pay
 * for. Only funded wallets are in the table, so long probes cost their maker real deposits. */
static u32 hash_of(const u8 *wallet)
{
    u64 a, b;
    memcpy(&a, wallet, 8);
    memcpy(&b, wallet + 12, 8);
    u128 product = (u128)(a ^ 0x9e3779b97f4a7c15UL) * (b ^ 0xd6e8feb86659fd93UL);
    return (u32)((u64)product ^ (u64)(product >> 64));
}

u32 ledger_find(const struct ledger *l, const u8 *wallet)
{
    for (u32 i = hash_of(wallet);; i++) {
        u32 index = atomic_load_explicit(hash_slot(l, i & l->hash_mask), memory_order_acquire);
        if (!index) return NO_ACCOUNT;
        if (!memcmp(ledger_account(l, index)->wallet, wallet, WALLET_BYTES)) return index;
    }
}

u32 ledger_guess(const struct ledger *l, const u8 *wallet)
{
    return atomic_load_explicit(hash_slot(l, hash_of(wallet) & l->hash_mask), memory_order_relaxed);
}

void ledger_find_ahead(const struct ledger *l, const u8 *wallet, u32 stage)
{
    if (stage == 0) {
        __builtin_prefetch(hash_slot(l, hash_of(wallet) & l->hash_mask), 1);
        return;
    }
    const u8 *a = (const u8 *)ledger_account(l, ledger_guess(l, wallet));
    __builtin_prefetch(a, 1);
    __builtin_prefetch(a + CACHE_LINE, 1);
}

u32 ledger_open_account(struct ledger *l, const u8 *wallet, u64 now_ns)
{
    u32 index = ledger_find(l, wallet);
    if (index != NO_ACCOUNT) return index;
    if (l->account_count == l->config.accounts_max) return NO_ACCOUNT;
    index = ++l->account_count;
    struct account *a = ledger_account(l, index);
    memset(a, 0, sizeof *a);
    memcpy(a->wallet, wallet, WALLET_BYTES);
    a->created_ns = now_ns;
    u32 i = hash_of(wallet);
    while (atomic_load_explicit(hash_slot(l, i & l->hash_mask), memory_order_relaxed)) i++;
    atomic_store_explicit(hash_slot(l, i & l->hash_mask), index, memory_order_release);
    return index;
}

struct balance *ledger_balance(const struct ledger *l, u32 account, u16 token)
{
    const struct account *a = ledger_account(l, account);
    if (LIKELY(token < ROWS_DIRECT)) return a->rows[token] ? ledger_row(l, a->rows[token]) : NULL;
    for (u32 row = a->balances; row; row = ledger_row(l, row)->next)
        if (ledger_row(l, row)->token == token) return ledger_row(l, row);
    return NULL;
}

struct balance *ledger_open_balance(struct ledger *l, u32 account, u16 token)
{
    struct balance *b = ledger_balance(l, account, token);
    if (b) return b;
    if (l->balance_count == l->config.balances_max) return NULL;
    struct account *a = ledger_account(l, account);
    u32 row = ++l->balance_count;
    b = ledger_row(l, row);
    *b = (struct balance){.account = account, .token = token, .next = a->balances};
    a->balances = row;
    if (token < ROWS_DIRECT) a->rows[token] = row;
    return b;
}

static struct nonces *window(const struct ledger *l, u32 row)
{
    return (struct nonces *)ptr_at(l, l->nonces_at) + row;
}

/* The i-th smallest nonce that is held, i in [0, count). */
static struct nonce *held(const struct ledger *l, const struct nonces *n, u32 i)
{
    u32 place = (n->first + i) % NONCES_HELD;
    struct nonce_block *blocks = ptr_at(l, l->nonce_blocks_at);
    return &blocks[n->blocks[place / NONCES_BLOCK]].held[place % NONCES_BLOCK];
}

/* How many held nonces are smaller than `nonce`; they ascend, and new ones mostly go last. */
static u32 rank_of(const struct ledger *l, const struct nonces *n, u64 nonce)
{
    if (!n->count || n->largest < nonce) return n->count;
    u32 low = 0, high = n->count - 1;
    while (low < high) {
        u32 middle = (low + high) / 2;
        if (held(l, n, middle)->nonce < nonce) low = middle + 1;
        else high = middle;
    }
    return low;
}

enum nonce_state nonce_look(const struct ledger *l, u32 account, enum nonce_use use, u64 nonce,
                            u64 digest, u64 *outcome)
{
    u32 row = ledger_account(l, account)->nonces[use];
    if (!row) return NONCE_FREE;
    const struct nonces *n = window(l, row);
    u32 rank = rank_of(l, n, nonce);
    const struct nonce *there = rank < n->count ? held(l, n, rank) : NULL;
    if (there && there->nonce == nonce) {
        *outcome = there->outcome;
        return there->digest == digest ? NONCE_SEEN : NONCE_SPENT;
    }
    if (n->count < NONCES_HELD) return NONCE_FREE;
    return rank == 0 || nonce <= n->floor ? NONCE_SPENT : NONCE_FREE;
}

bool nonce_room(const struct ledger *l, u32 account, enum nonce_use use)
{
    return ledger_account(l, account)->nonces[use] || l->nonces_count < l->config.nonce_windows_max;
}

static struct nonces *open_window(struct ledger *l, u32 account, enum nonce_use use)
{
    u32 *row = &ledger_account(l, account)->nonces[use];
    if (!*row) {
        CHECK(l->nonces_count < l->config.nonce_windows_max);
        *row = ++l->nonces_count;
        *window(l, *row) = (struct nonces){0};
    }
    return window(l, *row);
}

void nonce_set_floor(struct ledger *l, u32 account, enum nonce_use use, u64 floor)
{
    open_window(l, account, use)->floor = floor;
}

u32 nonce_count(const struct ledger *l, u32 account, enum nonce_use use, u64 *floor)
{
    u32 row = ledger_account(l, account)->nonces[use];
    *floor = row ? window(l, row)->floor : 0;
    return row ? window(l, row)->count : 0;
}

void nonce_at(const struct ledger *l, u32 account, enum nonce_use use, u32 i, u64 *nonce,
              u64 *digest, u64 *outcome)
{
    const struct nonce *there = held(l, window(l, ledger_account(l, account)->nonces[use]), i);
    *nonce = there->nonce;
    *digest = there->digest;
    *outcome = there->outcome;
}

u64 nonces_mix(const struct ledger *l, u32 account, enum nonce_use use, u64 h)
{
    u64 floor, count = nonce_count(l, account, use, &floor);
    h = (h ^ floor) * 0x9e3779b97f4a7c15UL;
    for (u32 i = 0; i < count; i++) {
        u64 nonce, digest, outcome;
        nonce_at(l, account, use, i, &nonce, &digest, &outcome);
        h = (h ^ nonce) * 0x9e3779b97f4a7c15UL;
        h = (h ^ digest ^ outcome) * 0xd6e8feb86659fd93UL;
    }
    return h;
}

/* Room for one more than is held: a window has all its blocks before it forgets, and there are
 * enough for every window. */
static void take_block(struct ledger *l, struct nonces *n)
{
    u32 *block = &n->blocks[(n->first + n->count) % NONCES_HELD / NONCES_BLOCK];
    if (!*block) *block = ++l->nonce_blocks_count;
}

void nonce_use(struct ledger *l, u32 account, enum nonce_use use, u64 nonce, u64 digest,
               u64 outcome)
{
    struct nonces *n = open_window(l, account, use);
    if (n->count == NONCES_HELD) {
        n->floor = held(l, n, 0)->nonce;
        n->first = (n->first + 1) % NONCES_HELD;
        n->count--;
    }
    take_block(l, n);
    u32 rank = rank_of(l, n, nonce);
    if (rank == n->count) n->largest = nonce;
    for (u32 i = n->count; i > rank; i--) *held(l, n, i) = *held(l, n, i - 1);
    *held(l, n, rank) = (struct nonce){nonce, digest, outcome};
    n->count++;
}

void nonce_ahead(const struct ledger *l, u32 account, enum nonce_use use, u32 stage)
{
    const struct nonces *n = window(l, ledger_account(l, account)->nonces[use]);
    __builtin_prefetch(n, 1);
    if (stage == 1) return;
    /* Where the next one goes (it may lie across a line), and the one that is then forgotten. */
    const char *next = (const char *)held(l, n, n->count);
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + sizeof(struct nonce) - 1, 1);
    if (n->count == NONCES_HELD) __builtin_prefetch(next + sizeof(struct nonce));
}

void ledger_sum(const struct ledger *l, u16 token, struct ledger_sum *out)
{
    const struct token_total *t = &l->totals[token];
    *out = (struct ledger_sum){.in_flight = l->in_flight[token],
                               .deposits = t->deposits,
                               .withdrawals = t->withdrawals,
                               .shortfall = t->shortfall};
    for (u32 row = 1; row <= l->balance_count; row++) {
        const struct balance *b = ledger_row(l, row);
        if (b->token != token) continue;
        out->available += b->available + b->pending_available;
        out->frozen += b->frozen + b->pending_frozen;
    }
    for (u32 i = 0; i < FEE_BUCKETS; i++) out->fees += t->fees[i];
    out->conserved = out->available + out->frozen + out->fees + out->in_flight ==
                     out->deposits - out->withdrawals + out->shortfall;
}

int ledger_read_balances(const struct ledger *l, u32 account, struct balance *out, u32 max,
                         u64 *seq)
{
    const struct account *a = ledger_account(l, account);
    for (u32 i = 0, version; i < READ_TRIES; i++, cpu_pause()) {
        if (!account_read_begin(a, &version)) continue;
        u32 count = 0, row = a->balances;
        while (row && row <= l->config.balances_max && count < max) {
            out[count] = *ledger_row(l, row);
            row = out[count++].next;
        }
        *seq = a->seq;
        if (account_read_end(a, version)) return (int)count;
    }
    return READ_BUSY;
}
