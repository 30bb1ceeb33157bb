/* ledger.h: wallets, their balances and their nonces. Money moves only here.
 *
 *   wallet --hash--> account --> balance (token 0) -> balance (token 3) -> ...
 *                       |------> deposits, withdrawals (transfers.h)
 *                       |------> nonces (order use), nonces (cancel use), ...
 *
 * One writer (trading, or a replay). Other processes read with ledger_read_*, which copy under the
 * account's version (a seqlock) and tell the command sequence the copy may depend on: whoever shows
 * it to the outside waits until that sequence is durable.
 *
 * Per token, at every sequence:
 *   sum of balances (available + frozen) + fees + in flight = deposits - withdrawals + shortfall
 * where in flight are withdrawals that were asked for and are neither done nor given back.
 */
#ifndef EIDOS_SHM_LEDGER_H
#define EIDOS_SHM_LEDGER_H

#include "shm/rules.h"

#define LEDGER_MAGIC  0x315247444c534445UL
#define FEE_BUCKETS   16
#define MATCHINGS_MAX 16
#define INGRESS_MAX   32
#define NONCES_HELD   128 /* protocol.md 3 */
#define NONCES_BLOCK  16U
#define NONCES_BLOCKS (NONCES_HELD / NONCES_BLOCK) /* of a window */
#define ROWS_DIRECT   8U /* tokens an account finds its balance of at once */
#define BALANCE_MAX   (1UL << 62)

enum nonce_use { NONCE_ORDER = 0, NONCE_CANCEL = 1, NONCE_WITHDRAW = 2, NONCE_USES = 3 };

struct ledger_config {
    u32 accounts_max;      /* [1, 2^28] */
    u32 balances_max;      /* rows of (account, token), [1, 2^28] */
    u32 nonce_windows_max; /* rows of (account, use), [1, 2^28]; 3 KiB each when full */
    u32 transfers_max;     /* deposits and withdrawals, [1, 2^28] */
};

/* The first line is what an order touches that is filled or ends; a new one needs both. */
struct account {
    u8 wallet[WALLET_BYTES];
    _Atomic u32 version;       /* odd while this account, its balances or its order lists change */
    u64 seq;                   /* last command that changed anything here */
    u32 open_first, open_last; /* own open orders, oldest first; slots of orders.h, 0 = none */
    u32 closed_first, closed_last; /* recently closed, oldest closed first */
    u32 open_count;
    u32 closed_count;
    u32 nonces[NONCE_USES]; /* window row, 0 = none */
    u32 balances;           /* first row, 0 = none */
    u64 created_ns;
    u32 rows[ROWS_DIRECT]; /* of the first tokens, without a walk; 0 = none */
    u32 transfers_last[2]; /* newest deposit, newest withdrawal; slots of transfers.h, 0 = none */
    u64 zero;
};
SIZE_IS(struct account, 128);
OFFSET_IS(struct account, nonces, 56);

struct balance {
    u64 available, frozen;                 /* settled, ledger units */
    u64 pending_available, pending_frozen; /* traded, not yet settled on chain */
    u64 updated_ns;
    u32 account;
    u32 next; /* row of the same account, 0 = none */
    u16 token;
    u8 zero[14];
};
SIZE_IS(struct balance, 64);

struct nonce {
    u64 nonce;
    u64 digest;  /* first 8 bytes of what was signed */
    u64 outcome; /* order id, or OUTCOME_CODE | refusal code */
};

/* The last 128 nonces of one account and use, ascending from place `first`, circular. Place p is in
 * blocks[p / NONCES_BLOCK]; blocks are taken as the window fills and stay. Most accounts need few:
 * memory that is never touched costs nothing, and what is touched stays close together. */
struct nonces {
    u64 floor;   /* the largest nonce ever forgotten; only larger ones can be accepted */
    u64 largest; /* held; all on one line: what a new order mostly asks */
    u32 first, count;
    u32 blocks[NONCES_BLOCKS]; /* 0 = not yet */
    u64 zero;
};
SIZE_IS(struct nonces, 64);

struct nonce_block {
    struct nonce held[NONCES_BLOCK];
};
#define OUTCOME_CODE (1UL << 63)

struct token_total {
    u64 deposits, withdrawals, shortfall;
    u64 fees[FEE_BUCKETS];
};

struct ledger {
    u64 magic;
    struct ledger_config config;
    u32 account_count; /* accounts 1..count exist; 0 is nobody */
    u32 balance_count, nonces_count;
    u32 hash_mask;
    u32 nonce_blocks_count, zero32;
    u64 accounts_at, balances_at, nonces_at, hash_at; /* byte offsets from this structure */
    u64 nonce_blocks_at;
    _Atomic u64 seq;           /* last command applied */
    u64 merged[MATCHINGS_MAX]; /* match log sequence merged, per matching process */
    u64 ingress[INGRESS_MAX];  /* ring position consumed, per source */
    struct token_total totals[TOKENS_MAX];
    u64 in_flight[TOKENS_MAX]; /* withdrawals that are asked for and not done */
    u32 transfers_used;        /* slots 1 .. used have been used at least once; transfers.h */
    u32 transfers_open;
    u32 transfers_fifo_first, transfers_fifo_last; /* closed ones, oldest first */
    u64 transfers_at;                              /* byte offset */
    _Atomic u64 transfers_gone_ns; /* when the newest ended that gave up its slot; 0 = none did */
};

u64 ledger_align(void);
u64 ledger_footprint(const struct ledger_config *c); /* 0 = impossible */
void ledger_new(void *memory, const struct ledger_config *c);
struct ledger *ledger_join(void *memory);

static inline struct account *ledger_account(const struct ledger *l, u32 index)
{
    return (struct account *)ptr_at(l, l->accounts_at) + index;
}

static inline struct balance *ledger_row(const struct ledger *l, u32 row)
{
    return (struct balance *)ptr_at(l, l->balances_at) + row;
}

static inline u32 ledger_row_index(const struct ledger *l, const struct balance *b)
{
    return (u32)(b - ledger_row(l, 0));
}

/* Account index of a wallet, or NO_ACCOUNT. Any process. */
u32 ledger_find(const struct ledger *l, const u8 *wallet);

/* What it most likely finds, 0 = nothing: for hints. */
u32 ledger_guess(const struct ledger *l, const u8 *wallet);

/* A hint that ledger_find comes: stage 0 asks for the place in the table, stage 1 for the account.
 */
void ledger_find_ahead(const struct ledger *l, const u8 *wallet, u32 stage);

/* The same, created if new; NO_ACCOUNT when the arena is full. */
u32 ledger_open_account(struct ledger *l, const u8 *wallet, u64 now_ns);

/* The balance row of (account, token), or NULL. */
struct balance *ledger_balance(const struct ledger *l, u32 account, u16 token);

/* The same, created if new; NULL when the arena is full. */
struct balance *ledger_open_balance(struct ledger *l, u32 account, u16 token);

/* Bracket every change of an account, its balances or its lists, for readers of other processes.
 * Nesting is not allowed. */
static inline void account_begin(struct account *a, u64 seq)
{
    u32 v = atomic_load_explicit(&a->version, memory_order_relaxed);
    atomic_store_explicit(&a->version, v + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    a->seq = seq;
}

static inline void account_end(struct account *a)
{
    u32 v = atomic_load_explicit(&a->version, memory_order_relaxed);
    atomic_store_explicit(&a->version, v + 1, memory_order_release);
}

/* Nonces. A nonce is NONCE_FREE, NONCE_SPENT (used, forgotten, or below the floor), or NONCE_SEEN:
 * used by the very same digest, and *outcome says what became of it. */
enum nonce_state { NONCE_FREE, NONCE_SEEN, NONCE_SPENT };
enum nonce_state nonce_look(const struct ledger *l, u32 account, enum nonce_use use, u64 nonce,
                            u64 digest, u64 *outcome);

/* One account's window for a snapshot: *floor and the i-th smallest nonce, i in [0, count). */
u32 nonce_count(const struct ledger *l, u32 account, enum nonce_use use, u64 *floor);
void nonce_at(const struct ledger *l, u32 account, enum nonce_use use, u32 i, u64 *nonce,
              u64 *digest, u64 *outcome);

/* Load a window's floor (before nonce_use of its nonces, ascending). */
void nonce_set_floor(struct ledger *l, u32 account, enum nonce_use use, u64 floor);

/* Is there room for this account's window of this use? */
bool nonce_room(const struct ledger *l, u32 account, enum nonce_use use);

/* Use a free nonce; forgets the smallest when 128 are held. Needs nonce_room. */
void nonce_use(struct ledger *l, u32 account, enum nonce_use use, u64 nonce, u64 digest,
               u64 outcome);

/* Fold an account's window into a checksum: floor, then nonces ascending with their outcomes. */
u64 nonces_mix(const struct ledger *l, u32 account, enum nonce_use use, u64 h);

/* A hint that nonce_use comes: stage 1 asks for the window, stage 2 for the places in it. */
void nonce_ahead(const struct ledger *l, u32 account, enum nonce_use use, u32 stage);

/* Sum of one token over all rows, checked against the totals: true if it is conserved. Walks every
 * row; the writer must be still, or the caller must try again. */
struct ledger_sum {
    u64 available, frozen, fees, in_flight, deposits, withdrawals, shortfall;
    bool conserved;
};
void ledger_sum(const struct ledger *l, u16 token, struct ledger_sum *out);

/* Readers of other processes. They never wait for long: while the writer is inside this account, or
 * died there, the answer is READ_BUSY: ask again later. The caller also compares the region's epoch
 * (region.h) before and after, since a writer that recovers rebuilds the whole object. */
#define READ_BUSY  (-1)
#define READ_TRIES 1000

/* Copy up to `max` balances of an account; returns how many, and in *seq the command sequence they
 * depend on. */
int ledger_read_balances(const struct ledger *l, u32 account, struct balance *out, u32 max,
                         u64 *seq);

/* Begin and end a read of one account by hand: begin, copy, end; up to READ_TRIES times while one
 * of them is false. */
static inline bool account_read_begin(const struct account *a, u32 *version)
{
    *version = atomic_load_explicit(&a->version, memory_order_acquire);
    return !(*version & 1);
}

static inline bool account_read_end(const struct account *a, u32 version)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&a->version, memory_order_relaxed) == version;
}

#endif
