#include "shm/transfers.h"

#include <string.h>

bool withdraw_may_step(u8 from, u8 to)
{
    switch (from) {
    case WITHDRAW_PENDING:
        return to == WITHDRAW_PROCESSING || to == WITHDRAW_REJECTED || to == WITHDRAW_CANCELLED;
    case WITHDRAW_PROCESSING:
        return to == WITHDRAW_SUBMITTED || to == WITHDRAW_CONFIRMED || to == WITHDRAW_FAILED;
    case WITHDRAW_SUBMITTED: return to == WITHDRAW_CONFIRMED || to == WITHDRAW_FAILED;
    default: return false;
    }
}

static u32 slot_index(const struct ledger *l, const struct transfer *t)
{
    return (u32)(t - transfers_slot(l, 0));
}

struct transfer *transfers_find(const struct ledger *l, u64 id)
{
    u32 slot = (u32)id;
    if (!slot || slot > l->config.transfers_max) return NULL;
    struct transfer *t = transfers_slot(l, slot);
    return t->view.id == id ? t : NULL;
}

u64 transfers_next_id(const struct ledger *l)
{
    if (l->transfers_used < l->config.transfers_max) return l->transfers_used + 1;
    if (!l->transfers_fifo_first) return 0;
    return transfers_slot(l, l->transfers_fifo_first)->view.id + (1UL << 32);
}

/* The one that closed first gives its slot up. */
static void forget_oldest(struct ledger *l, u64 seq)
{
    struct transfer *old = transfers_slot(l, l->transfers_fifo_first);
    struct account *a = ledger_account(l, old->view.account);
    account_begin(a, max_u64(seq, a->seq));
    atomic_store_explicit(&l->transfers_gone_ns, old->view.updated_ns, memory_order_relaxed);
    if (old->prev) transfers_slot(l, old->prev)->next = old->next;
    if (old->next) transfers_slot(l, old->next)->prev = old->prev;
    else a->transfers_last[old->view.kind] = old->prev;
    old->view.id = 0;
    account_end(a);
    l->transfers_fifo_first = old->fifo_next;
    if (!old->fifo_next) l->transfers_fifo_last = 0;
}

struct transfer *transfers_take(struct ledger *l, u64 id, u64 seq)
{
    u32 slot = (u32)id;
    CHECK(slot && slot <= l->config.transfers_max);
    if (slot <= l->transfers_used) {
        CHECK(slot == l->transfers_fifo_first && transfers_slot(l, slot)->view.id < id);
        forget_oldest(l, seq);
    } else {
        CHECK(slot == l->transfers_used + 1);
        l->transfers_used = slot;
    }
    struct transfer *t = transfers_slot(l, slot);
    memset(t, 0, sizeof *t);
    t->view.id = id;
    return t;
}

void transfers_link(struct ledger *l, struct transfer *t)
{
    u32 *last = &ledger_account(l, t->view.account)->transfers_last[t->view.kind];
    u32 slot = slot_index(l, t);
    t->prev = *last;
    t->next = 0;
    if (*last) transfers_slot(l, *last)->next = slot;
    *last = slot;
    l->transfers_open++;
}

void transfers_close(struct ledger *l, struct transfer *t)
{
    u32 slot = slot_index(l, t);
    CHECK(l->transfers_open);
    l->transfers_open--;
    t->fifo_next = 0;
    if (l->transfers_fifo_last) transfers_slot(l, l->transfers_fifo_last)->fifo_next = slot;
    else l->transfers_fifo_first = slot;
    l->transfers_fifo_last = slot;
}

const struct transfer *transfers_find_tx(const struct ledger *l, const u8 tx_hash[TX_HASH_BYTES],
                                         u32 log_index)
{
    for (u32 slot = 1; slot <= l->transfers_used; slot++) {
        const struct transfer *t = transfers_slot(l, slot);
        if (t->view.kind == TRANSFER_DEPOSIT && t->view.has_tx && t->view.log_index == log_index &&
            !memcmp(t->view.tx_hash, tx_hash, TX_HASH_BYTES))
            return t;
    }
    return NULL;
}

int transfers_read(const struct ledger *l, u64 id, struct transfer_view *out, u64 *seq)
{
    u32 slot = (u32)id, version;
    if (!slot || slot > l->config.transfers_max) return 0;
    const struct transfer *t = transfers_slot(l, slot);
    for (u32 i = 0; i < READ_TRIES; i++, cpu_pause()) {
        u32 account = t->view.account;
        if (account > l->config.accounts_max) continue;
        const struct account *a = ledger_account(l, account);
        if (!account_read_begin(a, &version)) continue;
        *out = t->view;
        *seq = a->seq;
        if (account_read_end(a, version) && out->account == account) return out->id == id;
    }
    return READ_BUSY;
}

static bool matches(const struct transfer_view *v, const struct transfers_query *q)
{
    if (q->token != NO_TOKEN && v->token != q->token) return false;
    if (q->status_mask && !(q->status_mask >> v->status & 1)) return false;
    return v->created_ns >= q->start_ns && v->created_ns <= q->end_ns;
}

static void walk(const struct ledger *l, u32 slot, const struct transfers_query *q,
                 struct transfer_view *out, struct transfers_found *found)
{
    for (u32 i = 0; slot && slot <= l->config.transfers_max; i++) {
        const struct transfer *t = transfers_slot(l, slot);
        if (i == TRANSFERS_WALK_MAX) {
            found->gone_ns = max_u64(found->gone_ns, t->view.created_ns);
            return;
        }
        if (matches(&t->view, q) && found->total++ >= q->skip && found->count < q->max)
            out[found->count++] = t->view;
        slot = t->prev;
    }
}

int transfers_read_list(const struct ledger *l, const struct transfers_query *q,
                        struct transfer_view *out, struct transfers_found *found)
{
    const struct account *a = ledger_account(l, q->account);
    for (u32 i = 0, version; i < READ_TRIES; i++, cpu_pause()) {
        *found = (struct transfers_found){0};
        if (!account_read_begin(a, &version)) continue;
        found->gone_ns = atomic_load_explicit(&l->transfers_gone_ns, memory_order_relaxed);
        walk(l, a->transfers_last[q->kind], q, out, found);
        found->seq = a->seq;
        if (account_read_end(a, version)) return (int)found->count;
    }
    return READ_BUSY;
}

u64 transfers_mix(const struct ledger *l, u64 h, u64 (*mix)(u64 h, const void *data, size_t n))
{
    u64 head[] = {l->transfers_used, l->transfers_open,
                  atomic_load_explicit(&l->transfers_gone_ns, memory_order_relaxed)};
    if (!l->transfers_used) return h; /* as before there were any */
    h = mix(mix(h, head, sizeof head), l->in_flight, sizeof l->in_flight);
    for (u32 slot = 1; slot <= l->transfers_used; slot++)
        h = mix(h, &transfers_slot(l, slot)->view, sizeof(struct transfer_view));
    for (u32 s = l->transfers_fifo_first; s; s = transfers_slot(l, s)->fifo_next)
        h = mix(h, &s, sizeof s);
    for (u32 i = 1; i <= l->account_count; i++)
        h = mix(h, ledger_account(l, i)->transfers_last, 2 * sizeof(u32));
    return h;
}
