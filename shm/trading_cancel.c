/* trading_cancel.c: from a proven wish to cancel to a CMD_CANCEL record. The order is gone only
 * when matching says so: a fill that was already on its way wins. */
#include "shm/trading_inside.h"

/* A record being gathered: its items are known before it is begun in the log. */
struct cancel_draft {
    struct cmd_cancel c;
    struct cancel_item items[CANCEL_ITEMS_MAX];
};

/* Why this order of this account cannot be cancelled now, or 0. */
static u16 cancel_code(const struct order *o, u32 account)
{
    if (!o || o->view.account != account) return CODE_ORDER_NOT_FOUND;
    switch (o->view.status) {
    case STATUS_CANCELLED: return CODE_ALREADY_CANCELLED;
    case STATUS_FILLED: return CODE_ALREADY_FILLED;
    case STATUS_EXPIRED:
    case STATUS_REJECTED: return CODE_NOT_CANCELLABLE;
    default: return o->closing ? CODE_NOT_CANCELLABLE : CODE_OK;
    }
}

static void log_draft(struct trading *t, struct cancel_draft *d, const struct msg_cancel *m)
{
    u32 items = (u32)(d->c.count * sizeof d->items[0]);
    u32 length = (u32)(sizeof d->c + items + sizeof m->evidence);
    u8 *at = log_begin(t->command, CMD_CANCEL, length);
    memcpy(at + sizeof(struct rec), &d->c.origin, sizeof d->c - sizeof(struct rec));
    memcpy(at + sizeof d->c, d->items, items);
    memcpy(at + sizeof d->c + items, &m->evidence, sizeof m->evidence);
    struct rec *rec = log_commit(t->command, at, t->now_ns, t->command->seq + 1);
    trading_apply(t, rec);
    d->c.count = 0;
}

static void add_item(struct trading *t, struct cancel_draft *d, const struct msg_cancel *m,
                     const struct order *o)
{
    if (d->c.count == CANCEL_ITEMS_MAX) log_draft(t, d, m);
    d->items[d->c.count++] = (struct cancel_item){
        .order_id = o->view.order_id, .market = o->view.market, .account = o->view.account};
}

static void draft_begin(struct cancel_draft *d, const struct msg_cancel *m, u32 account, u16 source,
                        u64 position)
{
    memset(&d->c, 0, sizeof d->c);
    d->c.origin =
        (struct origin){.position = position, .request = m->head.request, .source = source};
    d->c.account = account;
    d->c.reason = REASON_USER;
}

/* A signed Cancel: one order, one nonce; from the nonce on, refusals are records too. */
static void cancel_signed(struct trading *t, const struct msg_cancel *m, u32 account, u16 source,
                          u64 position)
{
    struct cancel_draft d;
    u64 outcome = 0, id = m->order_ids[0], digest = digest_head(m->evidence.digest);
    u64 request = m->head.request, seq = ledger_account(t->ledger, account)->seq;
    const struct order *o = orders_find(t->orders, id);
    switch (nonce_look(t->ledger, account, NONCE_CANCEL, m->nonce, digest, &outcome)) {
    case NONCE_SEEN:
        o = outcome & OUTCOME_CODE ? NULL : orders_find(t->orders, outcome);
        reply_cancel(t, request, outcome & OUTCOME_CODE ? (u16)outcome : CODE_OK, id, o, 1, seq);
        return;
    case NONCE_SPENT: reply_cancel(t, request, CODE_NONCE_USED, id, NULL, 1, seq); return;
    case NONCE_FREE: break;
    }
    if (!nonce_room(t->ledger, account, NONCE_CANCEL)) {
        reply_cancel(t, request, CODE_UNAVAILABLE, id, NULL, 1, seq);
        return;
    }
    draft_begin(&d, m, account, source, position);
    d.c.nonce = m->nonce;
    d.c.uses_nonce = 1;
    d.c.code = cancel_code(o, account);
    d.c.replies = 1;
    if (!d.c.code) add_item(t, &d, m, o);
    log_draft(t, &d, m);
}

static bool passes(const struct order *o, const struct msg_cancel *m)
{
    return (m->market == NO_MARKET || o->view.market == m->market) &&
           (!m->side || o->view.side == m->side);
}

/* The api refuses that already, and it is not trusted: an order can be cancelled once. */
static bool names_twice(const struct msg_cancel *m)
{
    for (u32 i = 1; i < m->count; i++)
        for (u32 k = 0; k < i; k++)
            if (m->order_ids[i] == m->order_ids[k]) return true;
    return false;
}

/* Named orders: own ids outside the filter are left out, the others that fail are answered. */
static void cancel_listed(struct trading *t, const struct msg_cancel *m, struct cancel_draft *d,
                          u32 account)
{
    u64 seq = atomic_load_explicit(&t->ledger->seq, memory_order_relaxed);
    u32 total = 0;
    for (u32 i = 0; i < m->count; i++) {
        const struct order *o = orders_find(t->orders, m->order_ids[i]);
        total += cancel_code(o, account) || passes(o, m);
    }
    d->c.replies = total;
    for (u32 i = 0; i < m->count; i++) {
        const struct order *o = orders_find(t->orders, m->order_ids[i]);
        u16 code = cancel_code(o, account);
        if (code) reply_cancel(t, m->head.request, code, m->order_ids[i], NULL, total, seq);
        else if (passes(o, m)) add_item(t, d, m, o);
    }
    if (d->c.count) log_draft(t, d, m);
    if (!total) reply_cancel(t, m->head.request, CODE_OK, 0, NULL, 0, seq);
}

static void cancel_matching(struct trading *t, const struct msg_cancel *m, struct cancel_draft *d,
                            u32 account)
{
    const struct account *a = ledger_account(t->ledger, account);
    u32 total = 0, left;
    for (u32 s = a->open_first; s && total < MASS_CANCEL_MAX; s = orders_slot(t->orders, s)->next) {
        const struct order *o = orders_slot(t->orders, s);
        total += !o->closing && passes(o, m);
    }
    d->c.replies = left = total;
    for (u32 s = a->open_first; s && left; s = orders_slot(t->orders, s)->next) {
        const struct order *o = orders_slot(t->orders, s);
        if (o->closing || !passes(o, m)) continue;
        add_item(t, d, m, o);
        left--;
    }
    if (d->c.count) log_draft(t, d, m);
    if (!total)
        reply_cancel(t, m->head.request, CODE_OK, 0, NULL, 0,
                     atomic_load_explicit(&t->ledger->seq, memory_order_relaxed));
}

_Static_assert((MASS_CANCEL_MAX / CANCEL_ITEMS_MAX + 1) *
                           (sizeof(struct cmd_cancel) + sizeof(struct evidence)) +
                       MASS_CANCEL_MAX * sizeof(struct cancel_item) <
                   COMMAND_STEP_BYTES,
               "a mass cancel fits the room that is asked for");

void trading_cancel(struct trading *t, const struct msg_cancel *m, u16 source, u64 position)
{
    struct cancel_draft d;
    u64 seq = atomic_load_explicit(&t->ledger->seq, memory_order_relaxed);
    u32 account = ledger_find(t->ledger, m->wallet);
    if (m->count > MSG_CANCEL_IDS_MAX || (m->auth == AUTH_CANCEL && m->count != 1) ||
        names_twice(m)) {
        reply_cancel(t, m->head.request, CODE_INVALID_PARAMS, 0, NULL, 1, seq);
        return;
    }
    if (account == NO_ACCOUNT) {
        for (u32 i = 0; i < m->count; i++)
            reply_cancel(t, m->head.request, CODE_ORDER_NOT_FOUND, m->order_ids[i], NULL, m->count,
                         seq);
        if (!m->count) reply_cancel(t, m->head.request, CODE_OK, 0, NULL, 0, seq);
        return;
    }
    if (t->rules->mode == MODE_HALTED) {
        reply_cancel(t, m->head.request, CODE_MAINTENANCE, m->count ? m->order_ids[0] : 0, NULL, 1,
                     seq);
        return;
    }
    if (m->auth == AUTH_CANCEL) {
        cancel_signed(t, m, account, source, position);
        return;
    }
    draft_begin(&d, m, account, source, position);
    if (m->count) cancel_listed(t, m, &d, account);
    else cancel_matching(t, m, &d, account);
}

static void apply_items(struct trading *t, const struct cmd_cancel *c)
{
    const struct cancel_item *items = (const void *)(c + 1);
    for (u32 i = 0; i < c->count; i++) {
        struct order *o = orders_find(t->orders, items[i].order_id);
        CHECK(o && !o->closing);
        orders_heap_remove(t->orders, o);
        o->closing = 1;
        o->cancel = c->origin.request;
        o->cancel_total = (u16)c->replies;
    }
}

void apply_cancel(struct trading *t, const struct cmd_cancel *c)
{
    if (c->reason == REASON_EXPIRED) t->counts.expired += c->count;
    else t->counts.cancels += c->count;
    if (c->uses_nonce) {
        const struct evidence *e =
            (const void *)((const u8 *)(c + 1) + c->count * sizeof(struct cancel_item));
        const struct cancel_item *items = (const void *)(c + 1);
        struct account *a = ledger_account(t->ledger, c->account);
        account_begin(a, c->head.seq);
        nonce_use(t->ledger, c->account, NONCE_CANCEL, c->nonce, digest_head(e->digest),
                  c->code ? OUTCOME_CODE | c->code : items[0].order_id);
        account_end(a);
        if (c->code) reply_cancel(t, c->origin.request, c->code, 0, NULL, 1, c->head.seq);
    }
    apply_items(t, c);
}
