/* replica_save.c: the logical state as sections of a snapshot, and back. Nothing here depends on
 * the sizes of arenas; indexes of accounts and slots of orders are kept, for the log names them.
 *
 *   RULES       counts, then tokens and markets, then how many orders may rest
 *   TOTALS      ledger sequence, merged, ingress, totals of each token, state of each market
 *   ACCOUNTS    each: wallet, then its balances, then its nonce windows
 *   ORDERS      every used slot in order, then the open lists, then the closed fifo
 *   BOOK i      resting orders of market i, buys then sells, in priority
 *   MARKET_DATA as shm/market.h writes it
 *   UNMERGED i  match records of process i that trading has not merged
 *   TRANSFERS   limits, counts, every used slot in order, the lists of each account, the closed
 *               fifo
 *   SUMS        checksums of trading's part and of each book, for who loads only that
 */
#include "procs/lib/replica.h"

#include "shm/err.h"
#include "shm/transfers.h"

#include <pthread.h>
#include <string.h>

struct saved_rules {
    u32 tokens, markets;
    u32 config_version;
    u16 mode, mode_reason;
    u32 open_orders_max, resting_orders_max;
    u64 expiry_max_ns;
};
SIZE_IS(struct token, 32);
SIZE_IS(struct market, 120);

struct saved_totals {
    u64 seq;
    u64 merged[MATCHINGS_MAX];
    u64 ingress[INGRESS_MAX];
};
SIZE_IS(struct token_total, 152);
SIZE_IS(struct market_state, 32);

struct saved_account {
    u8 wallet[WALLET_BYTES];
    u32 balances;
    u64 created_ns, seq;
    u32 nonces[NONCE_USES]; /* how many follow, each after its floor */
    u32 zero32;
};
SIZE_IS(struct saved_account, 56);

struct saved_balance {
    u64 available, frozen, pending_available, pending_frozen, updated_ns;
    u64 token;
};

struct saved_nonce {
    u64 nonce, digest, outcome;
};

struct saved_orders {
    u32 used, open, closed, zero32;
};

struct saved_order {
    struct order_view view;
    u64 limit, hold, taker_quote, digest, reply, cancel, seq;
    u32 maker_rate, taker_rate;
    u16 cancel_total;
    u8 closing;
    u8 zero[5];
};
SIZE_IS(struct saved_order, 232);

struct saved_transfers {
    u32 used, open;
    u64 gone_ns;
    struct withdraw_limits limits;
};
SIZE_IS(struct withdraw_limits, 544);

/* --- Saving ------------------------------------------------------------------------------------
 */

static int save_rules(struct snapshot_writer *w, const struct rules *r)
{
    struct saved_rules head = {.tokens = r->token_count,
                               .markets = r->market_count,
                               .config_version = r->config_version,
                               .mode = (u16)r->mode,
                               .mode_reason = (u16)r->mode_reason,
                               .open_orders_max = r->open_orders_max,
                               .resting_orders_max = r->resting_orders_max,
                               .expiry_max_ns = r->expiry_max_ns};
    if (snapshot_begin(w, SECTION_RULES, 0) || snapshot_put(w, &head, sizeof head)) return -1;
    if (snapshot_put(w, r->tokens, head.tokens * sizeof r->tokens[0])) return -1;
    if (snapshot_put(w, r->markets, head.markets * sizeof r->markets[0])) return -1;
    return snapshot_put(w, &r->resting_max, sizeof r->resting_max);
}

static int save_totals(struct snapshot_writer *w, const struct trading *t)
{
    const struct ledger *l = t->ledger;
    struct saved_totals head = {.seq = l->seq};
    memcpy(head.merged, l->merged, sizeof head.merged);
    memcpy(head.ingress, l->ingress, sizeof head.ingress);
    if (snapshot_begin(w, SECTION_TOTALS, 0) || snapshot_put(w, &head, sizeof head)) return -1;
    if (snapshot_put(w, l->totals, t->rules->token_count * sizeof l->totals[0])) return -1;
    return snapshot_put(w, t->orders->markets,
                        t->rules->market_count * sizeof t->orders->markets[0]);
}

static int save_nonces(struct snapshot_writer *w, const struct ledger *l, u32 account)
{
    for (u32 use = 0; use < NONCE_USES; use++) {
        u64 floor;
        u32 count = nonce_count(l, account, use, &floor);
        if (count && snapshot_put(w, &floor, sizeof floor)) return -1;
        for (u32 i = 0; i < count; i++) {
            struct saved_nonce n;
            nonce_at(l, account, use, i, &n.nonce, &n.digest, &n.outcome);
            if (snapshot_put(w, &n, sizeof n)) return -1;
        }
    }
    return 0;
}

static int save_account(struct snapshot_writer *w, const struct ledger *l, u32 index)
{
    const struct account *a = ledger_account(l, index);
    struct saved_account s = {.created_ns = a->created_ns, .seq = a->seq};
    u64 floor;
    memcpy(s.wallet, a->wallet, sizeof s.wallet);
    for (u32 row = a->balances; row; row = ledger_row(l, row)->next) s.balances++;
    for (u32 use = 0; use < NONCE_USES; use++) s.nonces[use] = nonce_count(l, index, use, &floor);
    if (snapshot_put(w, &s, sizeof s)) return -1;
    for (u32 row = a->balances; row; row = ledger_row(l, row)->next) {
        const struct balance *b = ledger_row(l, row);
        struct saved_balance sb = {b->available,      b->frozen,     b->pending_available,
                                   b->pending_frozen, b->updated_ns, b->token};
        if (snapshot_put(w, &sb, sizeof sb)) return -1;
    }
    return save_nonces(w, l, index);
}

static int save_accounts(struct snapshot_writer *w, const struct ledger *l)
{
    u32 count = l->account_count;
    if (snapshot_begin(w, SECTION_ACCOUNTS, 0) || snapshot_put(w, &count, sizeof count)) return -1;
    for (u32 i = 1; i <= count; i++)
        if (save_account(w, l, i)) return -1;
    return 0;
}

static int save_order(struct snapshot_writer *w, const struct order *o)
{
    struct saved_order s = {.view = o->view,
                            .limit = o->limit,
                            .hold = o->hold,
                            .taker_quote = o->taker_quote,
                            .digest = o->digest,
                            .reply = o->reply,
                            .cancel = o->cancel,
                            .seq = o->seq,
                            .maker_rate = o->maker_rate,
                            .taker_rate = o->taker_rate,
                            .cancel_total = o->cancel_total,
                            .closing = o->closing};
    return snapshot_put(w, &s, sizeof s);
}

static int save_orders(struct snapshot_writer *w, const struct trading *t)
{
    const struct orders *o = t->orders;
    struct saved_orders head = {.used = o->used, .open = o->open_count, .closed = o->closed_count};
    if (snapshot_begin(w, SECTION_ORDERS, 0) || snapshot_put(w, &head, sizeof head)) return -1;
    for (u32 slot = 1; slot <= o->used; slot++)
        if (save_order(w, orders_slot(o, slot))) return -1;
    for (u32 i = 1; i <= t->ledger->account_count; i++)
        for (u32 s = ledger_account(t->ledger, i)->open_first; s; s = orders_slot(o, s)->next)
            if (snapshot_put(w, &s, sizeof s)) return -1;
    for (u32 s = o->fifo_first; s; s = orders_slot(o, s)->fifo_next)
        if (snapshot_put(w, &s, sizeof s)) return -1;
    return 0;
}

/* An account's deposits or withdrawals, oldest first. */
static int save_transfer_list(struct snapshot_writer *w, const struct ledger *l, u32 last)
{
    u32 first = last;
    while (first && transfers_slot(l, first)->prev) first = transfers_slot(l, first)->prev;
    for (u32 s = first; s; s = transfers_slot(l, s)->next)
        if (snapshot_put(w, &s, sizeof s)) return -1;
    return 0;
}

static int save_transfers(struct snapshot_writer *w, const struct trading *t)
{
    const struct ledger *l = t->ledger;
    struct saved_transfers head = {
        .used = l->transfers_used,
        .open = l->transfers_open,
        .gone_ns = atomic_load_explicit(&l->transfers_gone_ns, memory_order_relaxed),
        .limits = t->rules->withdraw};
    if (snapshot_begin(w, SECTION_TRANSFERS, 0) || snapshot_put(w, &head, sizeof head)) return -1;
    for (u32 s = 1; s <= head.used; s++)
        if (snapshot_put(w, &transfers_slot(l, s)->view, sizeof(struct transfer_view))) return -1;
    for (u32 i = 1; i <= l->account_count; i++)
        for (u32 kind = 0; kind < TRANSFER_KINDS; kind++)
            if (save_transfer_list(w, l, ledger_account(l, i)->transfers_last[kind])) return -1;
    for (u32 s = l->transfers_fifo_first; s; s = transfers_slot(l, s)->fifo_next)
        if (snapshot_put(w, &s, sizeof s)) return -1;
    return 0;
}

static int save_book(struct snapshot_writer *w, const struct books *b, u32 market)
{
    if (snapshot_begin(w, SECTION_BOOK, market)) return -1;
    for (u32 side = BOOK_BUY; side <= BOOK_SELL; side++)
        for (u32 c = book_first(b, market, (u8)side); c; c = book_next(b, c)) {
            struct book_order o;
            book_at(b, c, &o);
            if (snapshot_put(w, &o, sizeof o)) return -1;
        }
    return 0;
}

static int put_market(void *context, const void *data, u64 bytes)
{
    return snapshot_put(context, data, bytes);
}

static int save_sums(struct snapshot_writer *w, const struct replica_sums *sums, u32 markets)
{
    if (snapshot_begin(w, SECTION_SUMS, 0) || snapshot_put(w, &sums->trading, sizeof sums->trading))
        return -1;
    return snapshot_put(w, sums->book, markets * sizeof sums->book[0]);
}

static int save_sections(const struct replica *r, struct snapshot_writer *w)
{
    const struct trading *t = &r->trading;
    if (save_rules(w, t->rules) || save_totals(w, t) || save_accounts(w, t->ledger)) return -1;
    if (save_orders(w, t) || save_transfers(w, t)) return -1;
    for (u32 i = 0; i < t->rules->market_count; i++)
        if (save_book(w, r->matching[t->rules->markets[i].matching].machine->books, i)) return -1;
    if (snapshot_begin(w, SECTION_MARKET_DATA, 0)) return -1;
    if (market_save(r->market, put_market, w)) return -1;
    for (u32 i = 0; i < r->config.matching_count; i++) {
        const struct replica_matching *m = &r->matching[i];
        if (snapshot_begin(w, SECTION_UNMERGED, i)) return -1;
        if (m->queue && snapshot_put(w, m->queue + m->begin, m->end - m->begin)) return -1;
    }
    return 0;
}

int replica_save_known(const struct replica *r, const struct replica_sums *sums, u32 threads,
                       const char *dir, const u8 *instance, u64 *bytes)
{
    struct snapshot_writer w;
    struct snapshot_info info;
    CHECK(r->config.trading && r->market && !r->config.matching_first);
    replica_info_from(r, sums, &info);
    int rc = snapshot_create(&w, dir, instance);
    w.tick = r->config.tick;
    w.context = r->config.context;
    if (!rc && threads > 1) snapshot_pack_beside(&w);
    if (rc || save_sums(&w, sums, r->rules->market_count) || save_sections(r, &w)) {
        snapshot_abort(&w);
        return -1;
    }
    return snapshot_finish(&w, &info, bytes);
}

int replica_save(const struct replica *r, const char *dir, const u8 *instance, u64 *bytes)
{
    struct replica_sums sums;
    replica_sums(r, &sums);
    return replica_save_known(r, &sums, 1, dir, instance, bytes);
}

/* --- Loading -----------------------------------------------------------------------------------
 */

static int seek(struct snapshot_reader *s, enum snapshot_section_kind kind, u32 index)
{
    return snapshot_seek(s, kind, index)
               ? 0
               : err_set("%s: section %u of %u is missing", s->path, index, (u32)kind);
}

static int too_small(const char *option, u64 need)
{
    return err_set("%s is too small for what the snapshot holds: %lu; raise it", option, need);
}

static int load_rules(struct snapshot_reader *s, struct rules *r)
{
    struct saved_rules head;
    if (seek(s, SECTION_RULES, 0) || snapshot_get(s, &head, sizeof head)) return -1;
    if (head.tokens > TOKENS_MAX || head.markets > MARKETS_MAX)
        return err_set("%s: %u tokens, %u markets", s->path, head.tokens, head.markets);
    if (snapshot_get(s, r->tokens, head.tokens * sizeof r->tokens[0])) return -1;
    if (snapshot_get(s, r->markets, head.markets * sizeof r->markets[0])) return -1;
    /* Snapshots from before the log said so end here. */
    if (s->left && snapshot_get(s, &r->resting_max, sizeof r->resting_max)) return -1;
    r->config_version = head.config_version;
    r->mode = head.mode;
    r->mode_reason = head.mode_reason;
    r->open_orders_max = head.open_orders_max;
    r->resting_orders_max = head.resting_orders_max;
    r->expiry_max_ns = head.expiry_max_ns;
    atomic_store_explicit(&r->token_count, head.tokens, memory_order_release);
    atomic_store_explicit(&r->market_count, head.markets, memory_order_release);
    return 0;
}

static int load_totals(struct snapshot_reader *s, struct trading *t)
{
    struct ledger *l = t->ledger;
    struct saved_totals head;
    if (seek(s, SECTION_TOTALS, 0) || snapshot_get(s, &head, sizeof head)) return -1;
    memcpy(l->merged, head.merged, sizeof l->merged);
    memcpy(l->ingress, head.ingress, sizeof l->ingress);
    atomic_store_explicit(&l->seq, head.seq, memory_order_release);
    if (snapshot_get(s, l->totals, t->rules->token_count * sizeof l->totals[0])) return -1;
    return snapshot_get(s, t->orders->markets,
                        t->rules->market_count * sizeof t->orders->markets[0]);
}

/* Rows are linked newest first, so they are made in the opposite order. */
static int load_balances(struct snapshot_reader *s, struct ledger *l, u32 index, u32 count)
{
    struct saved_balance rows[TOKENS_MAX];
    if (count > TOKENS_MAX || snapshot_get(s, rows, count * sizeof rows[0]))
        return err_wrap("account %u", index);
    for (u32 i = count; i--;) {
        struct balance *b = ledger_open_balance(l, index, (u16)rows[i].token);
        if (!b) return too_small("trading.balances_max", l->config.balances_max);
        b->available = rows[i].available;
        b->frozen = rows[i].frozen;
        b->pending_available = rows[i].pending_available;
        b->pending_frozen = rows[i].pending_frozen;
        b->updated_ns = rows[i].updated_ns;
    }
    return 0;
}

static int load_nonces(struct snapshot_reader *s, struct ledger *l, u32 index, u32 use, u32 count)
{
    u64 floor;
    if (!count) return 0;
    if (count > NONCES_HELD) return err_set("%s: %u nonces of an account", s->path, count);
    if (!nonce_room(l, index, use)) return too_small("trading.accounts_max", l->account_count);
    if (snapshot_get(s, &floor, sizeof floor)) return -1;
    nonce_set_floor(l, index, use, floor);
    while (count--) {
        struct saved_nonce n;
        if (snapshot_get(s, &n, sizeof n)) return -1;
        nonce_use(l, index, use, n.nonce, n.digest, n.outcome);
    }
    return 0;
}

static int load_account(struct snapshot_reader *s, struct ledger *l, u32 index)
{
    struct saved_account a;
    if (snapshot_get(s, &a, sizeof a)) return -1;
    u32 made = ledger_open_account(l, a.wallet, a.created_ns);
    if (made == NO_ACCOUNT) return too_small("trading.accounts_max", index);
    if (made != index) return err_set("%s: a wallet twice, as %u and %u", s->path, made, index);
    if (load_balances(s, l, index, a.balances)) return -1;
    for (u32 use = 0; use < NONCE_USES; use++)
        if (load_nonces(s, l, index, use, a.nonces[use])) return -1;
    ledger_account(l, index)->seq = a.seq;
    return 0;
}

static int load_accounts(struct snapshot_reader *s, struct ledger *l)
{
    u32 count;
    if (seek(s, SECTION_ACCOUNTS, 0) || snapshot_get(s, &count, sizeof count)) return -1;
    for (u32 i = 1; i <= count; i++)
        if (load_account(s, l, i)) return -1;
    return 0;
}

/* Orders lie about among accounts and lists: a batch is looked at before it is loaded, so that the
 * memory it needs is on its way. */
#define BATCH 64U

static void fetch(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CACHE_LINE) __builtin_prefetch((const char *)p + i, 1);
}

static int load_order(struct snapshot_reader *s, struct trading *t, const struct saved_order *so,
                      u32 slot)
{
    if ((u32)so->view.order_id != slot || !so->view.account ||
        so->view.account > t->ledger->account_count || so->view.market >= t->rules->market_count)
        return err_set("%s: slot %u holds order %lu of account %u", s->path, slot,
                       so->view.order_id, so->view.account);
    struct order *o = orders_take(t->orders, t->ledger, so->view.order_id, so->seq);
    o->view = so->view;
    o->limit = so->limit;
    o->hold = so->hold;
    o->taker_quote = so->taker_quote;
    o->digest = so->digest;
    o->reply = so->reply;
    o->cancel = so->cancel;
    o->seq = so->seq;
    o->maker_rate = so->maker_rate;
    o->taker_rate = so->taker_rate;
    o->cancel_total = so->cancel_total;
    o->closing = so->closing;
    order_bind(o, t->ledger, &t->rules->markets[so->view.market]);
    return 0;
}

/* Slots in [1, used], in order. */
static int load_slots(struct snapshot_reader *s, struct trading *t, u32 used)
{
    struct saved_order batch[BATCH];
    for (u32 slot = 1, count; slot <= used; slot += count) {
        count = (u32)min_u64(BATCH, used - slot + 1);
        if (snapshot_get(s, batch, count * sizeof batch[0])) return -1;
        for (u32 i = 0; i < count; i++)
            if (batch[i].view.account <= t->ledger->account_count)
                fetch(ledger_account(t->ledger, batch[i].view.account), sizeof(struct account));
        for (u32 i = 0; i < count; i++)
            if (load_order(s, t, &batch[i], slot + i)) return -1;
    }
    return 0;
}

/* What linking these orders will touch: themselves, their accounts, and the ends of the lists. */
static void fetch_links(const struct trading *t, const u32 *slots, u32 count, bool open)
{
    for (u32 i = 0; i < count; i++) {
        const struct order *o = orders_slot(t->orders, slots[i]);
        fetch(&o->view.account, 1);
        fetch(&o->prev, sizeof *o - offsetof(struct order, prev));
    }
    for (u32 i = 0; i < count; i++)
        fetch(ledger_account(t->ledger, orders_slot(t->orders, slots[i])->view.account), 1);
    for (u32 i = 0; i < count; i++) {
        const struct account *a =
            ledger_account(t->ledger, orders_slot(t->orders, slots[i])->view.account);
        fetch(&orders_slot(t->orders, open ? a->open_last : a->closed_last)->next, 1);
    }
}

/* Their lists: `count` slots that are all open, or all closed. */
static int load_links(struct snapshot_reader *s, struct trading *t, u32 count, bool open)
{
    struct orders *o = t->orders;
    u32 batch[BATCH];
    for (u32 done = 0, n; done < count; done += n) {
        n = (u32)min_u64(BATCH, count - done);
        if (snapshot_get(s, batch, n * sizeof batch[0])) return -1;
        for (u32 i = 0; i < n; i++)
            if (!batch[i] || batch[i] > o->used)
                return err_set("%s: a list names slot %u", s->path, batch[i]);
        fetch_links(t, batch, n, open);
        for (u32 i = 0; i < n; i++)
            (open ? orders_link_open : orders_link_closed)(o, t->ledger, orders_slot(o, batch[i]));
    }
    return 0;
}

static int load_orders(struct snapshot_reader *s, struct trading *t)
{
    struct orders *o = t->orders;
    struct saved_orders head;
    if (seek(s, SECTION_ORDERS, 0) || snapshot_get(s, &head, sizeof head)) return -1;
    if (head.used >= o->slots) return too_small("trading.orders_max", head.used + 1UL);
    if (head.open + (u64)head.closed != head.used)
        return err_set("%s: %u open and %u closed orders in %u slots", s->path, head.open,
                       head.closed, head.used);
    if (load_slots(s, t, head.used)) return -1;
    if (load_links(s, t, head.open, true) || load_links(s, t, head.closed, false)) return -1;
    orders_find_gone(o);
    return 0;
}

static int load_transfer(struct snapshot_reader *s, struct ledger *l, u32 tokens, u32 slot)
{
    struct transfer_view v;
    if (snapshot_get(s, &v, sizeof v)) return -1;
    if ((u32)v.id != slot || !v.account || v.account > l->account_count || v.token >= tokens ||
        v.kind >= TRANSFER_KINDS)
        return err_set("%s: slot %u holds transfer %lu of account %u", s->path, slot, v.id,
                       v.account);
    transfers_take(l, v.id, 0)->view = v;
    if (v.kind == TRANSFER_WITHDRAWAL && !withdraw_is_over(v.status))
        l->in_flight[v.token] += v.amount;
    return 0;
}

/* Snapshots from before there were withdrawals have none. */
static int load_transfers(struct snapshot_reader *s, struct trading *t)
{
    struct ledger *l = t->ledger;
    struct saved_transfers head;
    u32 slot;
    if (!snapshot_seek(s, SECTION_TRANSFERS, 0)) return 0;
    if (snapshot_get(s, &head, sizeof head)) return -1;
    if (head.used > l->config.transfers_max) return too_small("trading.transfers_max", head.used);
    if (head.open > head.used)
        return err_set("%s: %u of %u transfers are open", s->path, head.open, head.used);
    t->rules->withdraw = head.limits;
    for (slot = 1; slot <= head.used; slot++)
        if (load_transfer(s, l, t->rules->token_count, slot)) return -1;
    for (u32 i = 0; i < 2 * head.used - head.open; i++) {
        if (snapshot_get(s, &slot, sizeof slot)) return -1;
        if (!slot || slot > head.used) return err_set("%s: a list names slot %u", s->path, slot);
        if (i < head.used) transfers_link(l, transfers_slot(l, slot));
        else transfers_close(l, transfers_slot(l, slot));
    }
    atomic_store_explicit(&l->transfers_gone_ns, head.gone_ns, memory_order_relaxed);
    return 0;
}

static int load_book(struct snapshot_reader *s, const struct replica_matching *m, u32 market)
{
    struct books *b = m->machine->books;
    if (seek(s, SECTION_BOOK, market) || books_open(b, market)) return -1;
    while (s->left) {
        struct book_order o;
        if (snapshot_get(s, &o, sizeof o)) return -1;
        if ((u32)o.id >= m->slots) return too_small("trading.orders_max", (u32)o.id + 1UL);
        if (book_restore(b, &o))
            return err_wrap("the book of market %u (of a full arena: raise matching.orders_max)",
                            market);
    }
    return 0;
}

static int load_unmerged(struct replica *r, struct snapshot_reader *s, u32 i)
{
    alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct rec *rec = (struct rec *)(void *)buf;
    if (seek(s, SECTION_UNMERGED, i)) return -1;
    while (s->left) {
        if (snapshot_get(s, rec, sizeof *rec)) return -1;
        if (rec->length < sizeof *rec || rec->length > sizeof buf)
            return err_set("%s: a record of %u bytes", s->path, rec->length);
        if (snapshot_get(s, rec + 1, rec->length - sizeof *rec)) return -1;
        replica_queue(r, i, rec);
    }
    return 0;
}

static int load_matching(struct replica *r, struct snapshot_reader *s, u32 i)
{
    struct replica_matching *m = &r->matching[i];
    struct matching *machine = m->machine;
    struct rules *rules = machine->rules;
    const struct snapshot_info *info = &s->manifest->info;
    if (load_rules(s, rules)) return -1;
    for (u32 market = 0; market < rules->market_count && !r->config.no_books; market++)
        if (rules->markets[market].matching == i && load_book(s, m, market)) return -1;
    matching_init(machine, (u16)i, rules, machine->books, &m->log);
    machine->applied = info->seq;
    if (i >= info->matchings) return 0; /* it is new since then */
    log_begin_at(&m->log, info->match_seq[i]);
    m->queued = info->match_seq[i];
    return load_unmerged(r, s, i);
}

static int get_market(void *context, void *data, u64 bytes)
{
    return snapshot_get(context, data, bytes);
}

static int load_trading(struct replica *r, struct snapshot_reader *s)
{
    struct trading *t = &r->trading;
    log_begin_at(&r->account, s->manifest->info.account_seq);
    if (load_rules(s, t->rules) || load_totals(s, t) || load_accounts(s, t->ledger)) return -1;
    return load_orders(s, t) || load_transfers(s, t) ? -1 : 0;
}

static int differs(const struct snapshot_reader *s, const char *what)
{
    return err_set("%s: %s as loaded differs from what was saved (checksum); remove the file",
                   s->path, what);
}

/* Each part that was loaded is what was saved. Snapshots of earlier builds hold one sum of all. */
static int compare(struct replica *r, struct snapshot_reader *s)
{
    const struct replica_config *c = &r->config;
    const struct snapshot_info *info = &s->manifest->info;
    struct snapshot_info now;
    struct replica_sums sums;
    replica_sums(r, &sums);
    replica_info_from(r, &sums, &now);
    bool is_whole = c->trading && c->matching_count == info->matchings && !c->no_books;
    if (is_whole && now.checksum != info->checksum) return differs(s, "the state");
    if (!snapshot_seek(s, SECTION_SUMS, 0)) return 0;
    u64 saved;
    if (snapshot_get(s, &saved, sizeof saved)) return -1;
    if (c->trading && saved != sums.trading) return differs(s, "accounts and orders");
    for (u32 i = 0; i < r->rules->market_count; i++) {
        if (snapshot_get(s, &saved, sizeof saved)) return -1;
        if (sums.book[i] && saved != sums.book[i]) return differs(s, "a book");
    }
    return 0;
}

static int books_fit(struct snapshot_reader *s, struct rules *r, const struct topo_params *p)
{
    u64 resting[MATCHINGS_MAX] = {0};
    if (load_rules(s, r)) return -1;
    for (u32 market = 0; market < r->market_count; market++) {
        u32 i = r->markets[market].matching % MATCHINGS_MAX;
        if (seek(s, SECTION_BOOK, market)) return -1;
        resting[i] += s->left / sizeof(struct book_order);
        if (resting[i] > p->resting_max) return too_small("matching.orders_max", resting[i]);
    }
    return 0;
}

int replica_fits(struct snapshot_reader *s, const struct topo_params *p)
{
    struct saved_orders orders;
    struct saved_transfers transfers = {0};
    u32 accounts;
    if (seek(s, SECTION_ACCOUNTS, 0) || snapshot_get(s, &accounts, sizeof accounts)) return -1;
    if (accounts > p->accounts_max) return too_small("trading.accounts_max", accounts);
    if (seek(s, SECTION_ORDERS, 0) || snapshot_get(s, &orders, sizeof orders)) return -1;
    if (orders.used >= p->orders_max) return too_small("trading.orders_max", orders.used + 1UL);
    if (snapshot_seek(s, SECTION_TRANSFERS, 0) && snapshot_get(s, &transfers, sizeof transfers))
        return -1;
    if (transfers.used > p->transfers_max)
        return too_small("trading.transfers_max", transfers.used);
    struct rules *rules = calloc(1, sizeof *rules);
    CHECK(rules);
    int rc = books_fit(s, rules, p);
    free(rules);
    return rc;
}

u32 replica_sections(const struct replica_config *c)
{
    u32 kinds = SECTION_BIT(SECTION_RULES) | SECTION_BIT(SECTION_SUMS);
    if (c->trading)
        kinds |= SECTION_BIT(SECTION_TOTALS) | SECTION_BIT(SECTION_ACCOUNTS) |
                 SECTION_BIT(SECTION_ORDERS) | SECTION_BIT(SECTION_TRANSFERS);
    if (c->matching_count) kinds |= SECTION_BIT(SECTION_BOOK) | SECTION_BIT(SECTION_UNMERGED);
    if (c->market) kinds |= SECTION_BIT(SECTION_MARKET_DATA);
    return kinds;
}

static int check_fits(const struct replica *r, const struct snapshot_reader *s)
{
    const struct snapshot_info *info = &s->manifest->info;
    CHECK(!r->seq);
    if (!r->config.trading || r->config.matching_count >= info->matchings) return 0;
    return err_set("%s is of %u matching processes; matching.workers must not shrink", s->path,
                   info->matchings);
}

/* Books and market data: all that trading's part has nothing to do with. */
static int load_rest(struct replica *r, struct snapshot_reader *s)
{
    const struct replica_config *c = &r->config;
    for (u32 i = 0; i < c->matching_count; i++)
        if (load_matching(r, s, c->matching_first + i)) return -1;
    if (r->market && (seek(s, SECTION_MARKET_DATA, 0) || market_load(r->market, get_market, s)))
        return err_wrap("%s", s->path);
    return 0;
}

static int finish_load(struct replica *r, struct snapshot_reader *s)
{
    r->seq = s->manifest->info.seq;
    r->time_ns = s->manifest->info.time_ns;
    return compare(r, s);
}

int replica_load(struct replica *r, struct snapshot_reader *s)
{
    if (check_fits(r, s)) return -1;
    if (r->config.trading && load_trading(r, s)) return -1;
    return load_rest(r, s) ? -1 : finish_load(r, s);
}

struct rest {
    struct replica *replica;
    struct snapshot_reader reader;
    int rc;
    char why[ERR_TEXT_MAX];
};

static void *load_rest_beside(void *context)
{
    struct rest *rest = context;
    rest->rc = load_rest(rest->replica, &rest->reader);
    if (rest->rc) snprintf(rest->why, sizeof rest->why, "%s", err_text());
    return NULL;
}

int replica_load_by_two(struct replica *r, struct snapshot_reader *s, const char *dir)
{
    const struct snapshot_manifest *m = s->manifest;
    struct rest rest = {.replica = r};
    pthread_t thread;
    CHECK(r->config.trading);
    if (check_fits(r, s) || snapshot_glance(&rest.reader, dir, m->instance, m->info.seq)) return -1;
    if (pthread_create(&thread, NULL, load_rest_beside, &rest)) {
        snapshot_close(&rest.reader);
        return replica_load(r, s);
    }
    int rc = load_trading(r, s);
    CHECK(pthread_join(thread, NULL) == 0);
    snapshot_close(&rest.reader);
    if (!rc && rest.rc) rc = err_set("%s", rest.why);
    return rc ? -1 : finish_load(r, s);
}
