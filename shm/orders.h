/* orders.h: every open order and a window of recently closed ones, by slot.
 *
 *   id = generation << 32 | slot       slot 0 is nobody, so ids begin 1, 2, 3, ...
 *
 *   account.open_first   -> order <-> order <-> ...      by acceptance
 *   account.closed_first -> order <-> order <-> ...      by closing
 *   closed fifo          -> order  -> order  -> ...      all accounts, oldest first: reused next
 *
 * A slot is reused only after every never-used slot is, and the oldest closed order goes first; its
 * generation grows, so an id is never reused and a stale id never finds a newer order. One writer;
 * other processes read with orders_read* under the owner's account version.
 */
#ifndef EIDOS_SHM_ORDERS_H
#define EIDOS_SHM_ORDERS_H

#include "shm/ledger.h"

#define ORDERS_MAGIC 0x3144524f53534445UL

struct order {
    struct order_view view;
    u64 limit;       /* ticks: the limit or protection price matching works with */
    u64 hold;        /* still frozen for it: quote units of a buy, base units of a sell */
    u64 taker_quote; /* part of view.filled_quote that it took */
    u64 digest;      /* first 8 bytes of the signed digest */
    u64 reply;       /* request waiting for what matching says, 0 = none */
    u64 cancel;      /* request waiting for the cancel, 0 = none */
    u64 seq;         /* command that accepted it: order of acceptance */
    u32 maker_rate, taker_rate; /* parts per billion, fixed at acceptance */
    u32 prev, next;             /* in the account's open or closed list */
    u32 fifo_next;              /* in the closed fifo */
    u32 heap_at;                /* index + 1 in the expiry heap, 0 = not in it */
    u32 base_row, quote_row;    /* its account's balances, ledger_row */
    u16 cancel_total;           /* how many replies that cancel request gets */
    u8 closing;                 /* a cancel or expiry is logged and not yet merged */
    u8 zero[5];
};
SIZE_IS(struct order, 256);

/* What trading knows of a market's book, as merged. */
struct market_state {
    u64 bid, ask;   /* ticks, 0 = empty */
    u64 last_price; /* ticks, 0 = never traded */
    u32 resting;    /* orders resting */
    u32 pending;    /* accepted, matching has not answered yet */
};

struct orders {
    u64 magic;
    u32 slots; /* slots 1 .. slots-1 are usable */
    u32 used;  /* slots 1 .. used have been used at least once */
    u32 open_count;
    u32 closed_count;
    u32 fifo_first, fifo_last;
    u32 heap_count;
    u32 client_mask;
    u64 orders_at, heap_at, clients_at; /* byte offsets */
    _Atomic u64
        gone_ns; /* when the newest closed order ended that gave up its slot; 0 = none did */
    struct market_state markets[MARKETS_MAX];
};

u64 orders_align(void);
u64 orders_footprint(u64 slots); /* slots in [2, 2^28]; 0 = impossible */
/* Format memory that is zeroed, or that held such an object before. */
void orders_new(void *memory, u64 slots);
struct orders *orders_join(void *memory);

static inline struct order *orders_slot(const struct orders *o, u32 slot)
{
    return (struct order *)ptr_at(o, o->orders_at) + slot;
}

/* The order with this very id, open or recently closed, or NULL. For the writer. */
static inline struct order *orders_find(const struct orders *o, u64 id)
{
    u32 slot = (u32)id;
    if (!slot || slot >= o->slots) return NULL;
    struct order *order = orders_slot(o, slot);
    return order->view.order_id == id ? order : NULL;
}

/* The id the next order gets, or 0 when every slot holds an open order. */
u64 orders_next_id(const struct orders *o);

/* Take the slot of `id` (from orders_next_id, or from a log or snapshot): unlinks the closed order
 * that had it, and returns the slot zeroed but for view.order_id. Brackets the former owner's
 * account. */
struct order *orders_take(struct orders *o, struct ledger *l, u64 id, u64 seq);

/* Find, or open, the two balances an order works with, and remember their rows in it. CHECKs that
 * there is room. Inside the account's bracket. */
void order_bind(struct order *order, struct ledger *l, const struct market *m);

/* Link an accepted order into its account's open list, the client-id table and the expiry heap; the
 * view is filled. Inside the account's bracket. */
void orders_link_open(struct orders *o, struct ledger *l, struct order *order);

/* Move an order whose status is final to the closed lists. Inside the account's bracket. */
void orders_close(struct orders *o, struct ledger *l, struct order *order);

/* Load a closed order from a snapshot (they come in fifo order). */
void orders_link_closed(struct orders *o, struct ledger *l, struct order *order);

/* After loading: some slot was used twice, so orders are gone that ended before any that is there.
 */
void orders_find_gone(struct orders *o);

/* Is there an open order of this account with this client id? */
struct order *orders_find_client(const struct orders *o, u32 account, const u8 *client_id,
                                 u8 length);

/* How many open orders an account has in a market. Time follows its open orders. */
u32 orders_count_open(const struct orders *o, const struct account *a, u16 market);

/* The order that expires first and at or before `now_ns`, or NULL; ties by acceptance. */
struct order *orders_first_expired(const struct orders *o, u64 now_ns);

/* Take an order out of the expiry heap, if it is there. */
void orders_heap_remove(struct orders *o, struct order *order);

/* When the next order expires; UINT64_MAX = none does. */
u64 orders_next_expiry(const struct orders *o);

/* Readers of other processes, as in ledger.h: they copy, never wait for long, and *seq is the
 * command sequence the copy depends on. 1 = found, 0 = there is none, or READ_BUSY. */
int orders_read(const struct orders *o, const struct ledger *l, u64 id, struct order_view *out,
                u64 *seq);

/* Which of an account's orders to list; open ones first, each kind newest first. Of the closed ones
 * the newest ORDERS_WALK_MAX are looked at. */
#define ORDERS_WALK_MAX 5000U

struct orders_query {
    u32 account;
    u16 market; /* NO_MARKET = any */
    u8 side;    /* 0 = any */
    bool open, closed;
    u8 status_mask;       /* bit per enum order_status; 0 = any */
    u64 start_ns, end_ns; /* created in [start, end]; 0, 0 = any */
    u64 skip;             /* first matches to leave out */
    u32 max;              /* how many to copy */
};

struct orders_found {
    u32 count;   /* copied */
    u64 total;   /* all matches */
    u64 seq;     /* command the copy depends on */
    u64 gone_ns; /* every order that ended later than this was looked at; 0 = all there ever were */
};

/* Copies at most q->max views; returns how many, or READ_BUSY. */
int orders_read_list(const struct orders *o, const struct ledger *l, const struct orders_query *q,
                     struct order_view *out, struct orders_found *found);

#endif
