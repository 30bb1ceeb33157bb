#include "shm/orders.h"

#include <string.h>

#define SLOTS_MAX (1UL << 28)

u64 orders_align(void)
{
    return CACHE_LINE;
}

static u64 lay_out(struct orders *o, u64 slots)
{
    u64 at = align_up(sizeof(struct orders), CACHE_LINE);
    o->slots = (u32)slots;
    o->client_mask = (u32)pow2_up(2 * slots) - 1;
    o->orders_at = at;
    at += slots * sizeof(struct order);
    o->heap_at = at;
    at += align_up(slots * sizeof(u32), CACHE_LINE);
    o->clients_at = at;
    return at + (o->client_mask + 1UL) * sizeof(u32);
}

u64 orders_footprint(u64 slots)
{
    struct orders o;
    return slots < 2 || slots > SLOTS_MAX ? 0 : lay_out(&o, slots);
}

static u32 *clients(const struct orders *o)
{
    return (u32 *)ptr_at(o, o->clients_at);
}

static u32 *heap(const struct orders *o)
{
    return (u32 *)ptr_at(o, o->heap_at);
}

void orders_new(void *memory, u64 slots)
{
    struct orders *o = memory;
    CHECK(slots >= 2 && slots <= SLOTS_MAX);
    bool untouched = !o->magic; /* then zeroing would only cost the touch of every page */
    memset(o, 0, sizeof *o);
    lay_out(o, slots);
    if (!untouched) {
        memset(orders_slot(o, 0), 0, slots * sizeof(struct order));
        memset(clients(o), 0, (o->client_mask + 1UL) * sizeof(u32));
    }
    o->magic = ORDERS_MAGIC;
}

struct orders *orders_join(void *memory)
{
    struct orders *o = memory;
    CHECK(o->magic == ORDERS_MAGIC);
    return o;
}

static u32 slot_index(const struct orders *o, const struct order *order)
{
    return (u32)(order - orders_slot(o, 0));
}

u64 orders_next_id(const struct orders *o)
{
    if (o->used + 1 < o->slots) return o->used + 1;
    if (!o->fifo_first) return 0;
    return orders_slot(o, o->fifo_first)->view.order_id + (1UL << 32);
}

/* Lists of an account: open and closed share the order's two links; it is in one of them. */
static void list_append(struct orders *o, u32 *first, u32 *last, struct order *order)
{
    u32 slot = slot_index(o, order);
    order->prev = *last;
    order->next = 0;
    if (*last) orders_slot(o, *last)->next = slot;
    else *first = slot;
    *last = slot;
}

static void list_remove(struct orders *o, u32 *first, u32 *last, struct order *order)
{
    if (order->prev) orders_slot(o, order->prev)->next = order->next;
    else *first = order->next;
    if (order->next) orders_slot(o, order->next)->prev = order->prev;
    else *last = order->prev;
}

/* The oldest closed order gives its slot up. */
static void forget_oldest(struct orders *o, struct ledger *l, u64 seq)
{
    struct order *old = orders_slot(o, o->fifo_first);
    struct account *a = ledger_account(l, old->view.account);
    account_begin(a, max_u64(seq, a->seq));
    atomic_store_explicit(&o->gone_ns, old->view.updated_ns, memory_order_relaxed);
    list_remove(o, &a->closed_first, &a->closed_last, old);
    a->closed_count--;
    old->view.order_id = 0;
    account_end(a);
    o->fifo_first = old->fifo_next;
    if (!o->fifo_first) o->fifo_last = 0;
    o->closed_count--;
}

struct order *orders_take(struct orders *o, struct ledger *l, u64 id, u64 seq)
{
    u32 slot = (u32)id;
    CHECK(slot && slot < o->slots);
    if (slot <= o->used) {
        CHECK(slot == o->fifo_first && orders_slot(o, slot)->view.order_id < id);
        forget_oldest(o, l, seq);
    } else {
        CHECK(slot == o->used + 1);
        o->used = slot;
    }
    /* The slot that the next order takes: start bringing it in. */
    u32 ahead = o->used + 1 < o->slots ? o->used + 1 : o->fifo_first;
    const char *next = (const char *)orders_slot(o, ahead);
    for (u32 i = 0; i < sizeof(struct order); i += CACHE_LINE) __builtin_prefetch(next + i, 1);
    struct order *order = orders_slot(o, slot);
    memset(order, 0, sizeof *order);
    order->view.order_id = id;
    return order;
}

void order_bind(struct order *order, struct ledger *l, const struct market *m)
{
    struct balance *base = ledger_open_balance(l, order->view.account, m->base);
    struct balance *quote = ledger_open_balance(l, order->view.account, m->quote);
    CHECK(base && quote);
    order->base_row = ledger_row_index(l, base);
    order->quote_row = ledger_row_index(l, quote);
}

/* Client ids of open orders: open addressing with linear probing, slots of orders as entries. */
static u32 client_hash(u32 account, const u8 *id, u8 length)
{
    u64 h = 0xcbf29ce484222325UL ^ account;
    for (u8 i = 0; i < length; i++) h = (h ^ id[i]) * 0x100000001b3UL;
    return (u32)(h ^ h >> 32);
}

static u32 client_hash_of(const struct order *order)
{
    return client_hash(order->view.account, order->view.client_id, order->view.client_id_length);
}

static void client_insert(struct orders *o, const struct order *order)
{
    u32 *table = clients(o), i = client_hash_of(order);
    while (table[i & o->client_mask]) i++;
    table[i & o->client_mask] = slot_index(o, order);
}

/* Deletion by moving later members of the probe run back (Knuth, TAOCP 6.4, algorithm R). */
static void client_remove(struct orders *o, const struct order *order)
{
    u32 *table = clients(o), mask = o->client_mask;
    u32 hole = client_hash_of(order) & mask, slot = slot_index(o, order);
    while (table[hole] != slot) hole = (hole + 1) & mask;
    for (u32 i = (hole + 1) & mask; table[i]; i = (i + 1) & mask) {
        u32 home = client_hash_of(orders_slot(o, table[i])) & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        table[hole] = table[i];
        hole = i;
    }
    table[hole] = 0;
}

struct order *orders_find_client(const struct orders *o, u32 account, const u8 *client_id,
                                 u8 length)
{
    const u32 *table = clients(o);
    for (u32 i = client_hash(account, client_id, length); table[i & o->client_mask]; i++) {
        struct order *order = orders_slot(o, table[i & o->client_mask]);
        if (order->view.account == account && order->view.client_id_length == length &&
            !memcmp(order->view.client_id, client_id, length))
            return order;
    }
    return NULL;
}

/* The expiry heap: a binary heap of slots by (expire_ns, order of acceptance). */
static bool expires_before(const struct order *a, const struct order *b)
{
    if (a->view.expire_ns != b->view.expire_ns) return a->view.expire_ns < b->view.expire_ns;
    return a->seq < b->seq;
}

static void heap_put(struct orders *o, u32 at, u32 slot)
{
    heap(o)[at] = slot;
    orders_slot(o, slot)->heap_at = at + 1;
}

static void heap_up(struct orders *o, u32 at, u32 slot)
{
    while (at) {
        u32 parent = (at - 1) / 2;
        if (!expires_before(orders_slot(o, slot), orders_slot(o, heap(o)[parent]))) break;
        heap_put(o, at, heap(o)[parent]);
        at = parent;
    }
    heap_put(o, at, slot);
}

static void heap_down(struct orders *o, u32 at, u32 slot)
{
    for (;;) {
        u32 child = 2 * at + 1;
        if (child >= o->heap_count) break;
        if (child + 1 < o->heap_count &&
            expires_before(orders_slot(o, heap(o)[child + 1]), orders_slot(o, heap(o)[child])))
            child++;
        if (!expires_before(orders_slot(o, heap(o)[child]), orders_slot(o, slot))) break;
        heap_put(o, at, heap(o)[child]);
        at = child;
    }
    heap_put(o, at, slot);
}

void orders_heap_remove(struct orders *o, struct order *order)
{
    if (!order->heap_at) return;
    u32 at = order->heap_at - 1, last = heap(o)[--o->heap_count];
    order->heap_at = 0;
    if (at == o->heap_count) return;
    if (at && expires_before(orders_slot(o, last), orders_slot(o, heap(o)[(at - 1) / 2])))
        heap_up(o, at, last);
    else heap_down(o, at, last);
}

struct order *orders_first_expired(const struct orders *o, u64 now_ns)
{
    if (!o->heap_count) return NULL;
    struct order *first = orders_slot(o, heap(o)[0]);
    return first->view.expire_ns <= now_ns ? first : NULL;
}

u64 orders_next_expiry(const struct orders *o)
{
    return o->heap_count ? orders_slot(o, heap(o)[0])->view.expire_ns : UINT64_MAX;
}

void orders_link_open(struct orders *o, struct ledger *l, struct order *order)
{
    struct account *a = ledger_account(l, order->view.account);
    list_append(o, &a->open_first, &a->open_last, order);
    a->open_count++;
    o->open_count++;
    if (order->view.client_id_length) client_insert(o, order);
    if (order->view.expire_ns && !order->closing) heap_up(o, o->heap_count++, slot_index(o, order));
}

void orders_close(struct orders *o, struct ledger *l, struct order *order)
{
    struct account *a = ledger_account(l, order->view.account);
    if (order->view.client_id_length) client_remove(o, order);
    orders_heap_remove(o, order);
    list_remove(o, &a->open_first, &a->open_last, order);
    a->open_count--;
    o->open_count--;
    orders_link_closed(o, l, order);
}

void orders_link_closed(struct orders *o, struct ledger *l, struct order *order)
{
    struct account *a = ledger_account(l, order->view.account);
    list_append(o, &a->closed_first, &a->closed_last, order);
    a->closed_count++;
    order->fifo_next = 0;
    u32 slot = slot_index(o, order);
    if (o->fifo_last) orders_slot(o, o->fifo_last)->fifo_next = slot;
    else o->fifo_first = slot;
    o->fifo_last = slot;
    o->closed_count++;
}

void orders_find_gone(struct orders *o)
{
    for (u32 slot = 1; slot <= o->used && o->fifo_first; slot++)
        if (orders_slot(o, slot)->view.order_id != slot) {
            u64 gone_ns = orders_slot(o, o->fifo_first)->view.updated_ns;
            atomic_store_explicit(&o->gone_ns, gone_ns, memory_order_relaxed);
            return;
        }
}

u32 orders_count_open(const struct orders *o, const struct account *a, u16 market)
{
    u32 count = 0;
    for (u32 slot = a->open_first; slot; slot = orders_slot(o, slot)->next)
        count += orders_slot(o, slot)->view.market == market;
    return count;
}

int orders_read(const struct orders *o, const struct ledger *l, u64 id, struct order_view *out,
                u64 *seq)
{
    u32 slot = (u32)id, version;
    if (!slot || slot >= o->slots) return 0;
    const struct order *order = orders_slot(o, slot);
    for (u32 i = 0; i < READ_TRIES; i++, cpu_pause()) {
        u32 account = order->view.account;
        if (account > l->config.accounts_max) continue;
        const struct account *a = ledger_account(l, account);
        if (!account_read_begin(a, &version)) continue;
        *out = order->view;
        *seq = a->seq;
        if (account_read_end(a, version) && out->account == account) return out->order_id == id;
    }
    return READ_BUSY;
}

static bool matches(const struct order_view *v, const struct orders_query *q)
{
    if (q->market != NO_MARKET && v->market != q->market) return false;
    if (q->side && v->side != q->side) return false;
    if (q->status_mask && !(q->status_mask >> v->status & 1)) return false;
    if (q->start_ns && v->created_ns < q->start_ns) return false;
    return !q->end_ns || v->created_ns <= q->end_ns;
}

/* One of an account's lists, from its newest end. Returns the slot it stopped before, 0 = none. */
static u32 list_walk(const struct orders *o, u32 slot, u32 steps, const struct orders_query *q,
                     struct order_view *out, struct orders_found *found)
{
    for (; slot && slot < o->slots && steps; slot = orders_slot(o, slot)->prev, steps--) {
        const struct order_view *v = &orders_slot(o, slot)->view;
        if (!matches(v, q)) continue;
        if (found->total++ >= q->skip && found->count < q->max) out[found->count++] = *v;
    }
    return slot < o->slots ? slot : 0;
}

/* The closed orders of an account, and since when they are all. */
static void walk_closed(const struct orders *o, const struct account *a,
                        const struct orders_query *q, struct order_view *out,
                        struct orders_found *found)
{
    u32 steps = (u32)min_u64(a->closed_count, ORDERS_WALK_MAX);
    u32 left = list_walk(o, a->closed_last, steps, q, out, found);
    found->gone_ns = atomic_load_explicit(&o->gone_ns, memory_order_relaxed);
    if (left) found->gone_ns = max_u64(found->gone_ns, orders_slot(o, left)->view.updated_ns);
}

int orders_read_list(const struct orders *o, const struct ledger *l, const struct orders_query *q,
                     struct order_view *out, struct orders_found *found)
{
    const struct account *a = ledger_account(l, q->account);
    for (u32 i = 0, version; i < READ_TRIES; i++, cpu_pause()) {
        *found = (struct orders_found){0};
        if (!account_read_begin(a, &version)) continue;
        if (q->open) list_walk(o, a->open_last, a->open_count, q, out, found);
        if (q->closed) walk_closed(o, a, q, out, found);
        found->seq = a->seq;
        if (account_read_end(a, version)) return (int)found->count;
    }
    return READ_BUSY;
}
