#include "shm/trading_inside.h"

static struct balance_view balance_view(const struct trading *t, u32 row)
{
    const struct balance *b = ledger_row(t->ledger, row);
    return (struct balance_view){.available = b->available, .frozen = b->frozen};
}

void fill_state(const struct trading *t, struct account_state *s, const struct order *o,
                size_t bytes)
{
    s->base = balance_view(t, o->base_row);
    s->quote = balance_view(t, o->quote_row);
    memcpy(&s->order, &o->view, bytes - offsetof(struct account_state, order));
}

void emit_order(struct trading *t, const struct order *o, enum order_event event,
                const struct rec *cause)
{
    if (log_skip(t->account)) return;
    size_t at = offsetof(struct account_order, now);
    struct account_order *r =
        log_begin(t->account, ACCOUNT_ORDER, account_record_length(at, o->view.client_id_length));
    r->event = (u8)event;
    memset(r->zero, 0, sizeof r->zero);
    fill_state(t, &r->now, o, r->head.length - at);
    u32 fixed = account_record_length(at, 0);
    log_commit_fixed(t->account, r, fixed, cause->time_ns, cause->seq);
}

void reply_order(struct trading *t, u64 request, u16 code, const struct order *o, u64 seq)
{
    if (!request || !t->reply) return;
    struct msg_reply_order m = {
        .head = {.length = sizeof m, .kind = MSG_REPLY_ORDER, .request = request},
        .seq = seq,
        .code = code,
        .has_order = o != NULL,
    };
    if (o) m.order = o->view;
    t->reply(t->reply_context, &m.head);
}

void reply_cancel(struct trading *t, u64 request, u16 code, u64 order_id, const struct order *o,
                  u32 total, u64 seq)
{
    if (!request || !t->reply) return;
    struct msg_reply_cancel m = {
        .head = {.length = sizeof m, .kind = MSG_REPLY_CANCEL, .request = request},
        .seq = seq,
        .order_id = order_id,
        .code = code,
        .has_order = o != NULL,
        .total = total,
    };
    if (o) m.order = o->view;
    t->reply(t->reply_context, &m.head);
}

void reply_ops(struct trading *t, u64 request, u16 code, u64 seq)
{
    if (!request || !t->reply) return;
    struct msg_reply_ops m = {
        .head = {.length = sizeof m, .kind = MSG_REPLY_OPS, .request = request},
        .seq = seq,
        .code = code,
    };
    t->reply(t->reply_context, &m.head);
}

void command_done(struct trading *t, const struct rec *cmd, const struct origin *origin)
{
    if (origin && origin->source < INGRESS_MAX)
        t->ledger->ingress[origin->source] = origin->position;
    atomic_store_explicit(&t->ledger->seq, cmd->seq, memory_order_release);
}

void trading_mode(struct trading *t, const struct msg_mode *m, u16 source, u64 position)
{
    u64 seq = atomic_load_explicit(&t->ledger->seq, memory_order_relaxed);
    u16 code = CODE_OK;
    if (m->mode > MODE_HALTED) code = CODE_INVALID_PARAMS;
    if (m->market != NO_MARKET && m->market >= t->rules->market_count) code = CODE_MARKET_NOT_FOUND;
    if (code) {
        reply_ops(t, m->head.request, code, seq);
        return;
    }
    struct cmd_mode *c = log_begin(t->command, CMD_MODE, sizeof *c);
    c->origin = (struct origin){.position = position, .request = m->head.request, .source = source};
    c->market = m->market;
    c->mode = m->mode;
    c->reason = m->reason;
    memset(c->zero, 0, sizeof c->zero);
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, &c->head);
}

void trading_config(struct trading *t, const struct rec *record)
{
    struct rec *c = log_begin(t->command, record->kind, record->length);
    c->version = max_u64(record->version, RECORD_VERSION) & UINT16_MAX;
    memcpy(c + 1, record + 1, record->length - sizeof *record);
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, c);
}

bool trading_expire(struct trading *t)
{
    if (!orders_first_expired(t->orders, t->now_ns)) return false;
    /* The list is as long as what has expired, so it is gathered before the record is begun. */
    struct {
        struct cmd_cancel c;
        struct cancel_item items[CANCEL_ITEMS_MAX];
    } e;
    memset(&e.c, 0, sizeof e.c);
    struct order *o;
    while (e.c.count < CANCEL_ITEMS_MAX && (o = orders_first_expired(t->orders, t->now_ns))) {
        orders_heap_remove(t->orders, o);
        e.items[e.c.count++] = (struct cancel_item){
            .order_id = o->view.order_id, .market = o->view.market, .account = o->view.account};
    }
    e.c.origin.source = NO_SOURCE;
    e.c.account = NO_ACCOUNT;
    e.c.reason = REASON_EXPIRED;
    u32 length = (u32)(sizeof e.c + e.c.count * sizeof e.items[0]);
    struct rec *c = log_begin(t->command, CMD_EXPIRE, length);
    memcpy(c + 1, (const u8 *)&e + sizeof *c, length - sizeof *c);
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, c);
    return orders_first_expired(t->orders, t->now_ns) != NULL;
}

static void apply_merge(struct trading *t, const struct cmd_merge *c)
{
    CHECK(c->matching < MATCHINGS_MAX);
    t->ledger->merged[c->matching] = c->through;
}

void trading_forget_segment(struct trading *t)
{
    struct orders *o = t->orders;
    memset(t->ledger->ingress, 0, sizeof t->ledger->ingress);
    for (u32 slot = 1; slot <= o->used; slot++)
        orders_slot(o, slot)->reply = orders_slot(o, slot)->cancel = 0;
}

void trading_apply(struct trading *t, const struct rec *cmd)
{
    const void *body = cmd;
    const struct origin *origin = NULL;
    if (mark_is_due(&t->mark, cmd->seq)) trading_mark(t, cmd->seq - 1);
    switch (cmd->kind) {
    case CMD_ORDER:
        apply_order(t, body);
        origin = &((const struct cmd_order *)body)->origin;
        break;
    case CMD_CANCEL:
    case CMD_EXPIRE:
        apply_cancel(t, body);
        origin = &((const struct cmd_cancel *)body)->origin;
        break;
    case CMD_DEPOSIT:
        apply_deposit(t, body);
        origin = &((const struct cmd_deposit *)body)->origin;
        break;
    case CMD_WITHDRAW:
        apply_withdraw(t, body);
        origin = &((const struct cmd_withdraw *)body)->origin;
        break;
    case CMD_WITHDRAW_STEP:
        apply_withdraw_step(t, body);
        origin = &((const struct cmd_withdraw_step *)body)->origin;
        break;
    case CMD_MODE:
        rules_apply(t->rules, cmd);
        origin = &((const struct cmd_mode *)body)->origin;
        reply_ops(t, origin->request, CODE_OK, cmd->seq);
        break;
    case CMD_MERGE: apply_merge(t, body); break;
    case CMD_START:
        rules_apply(t->rules, cmd);
        if (((const struct cmd_start *)body)->epoch == 1) trading_forget_segment(t);
        break;
    default: rules_apply(t->rules, cmd); break;
    }
    command_done(t, cmd, origin);
}

#define MIX_A 0x9e3779b185ebca87UL
#define MIX_B 0xc2b2ae3d27d4eb4fUL

static u64 mix_word(u64 lane, u64 word)
{
    lane += word * MIX_B;
    return (lane << 31 | lane >> 33) * MIX_A;
}

/* Fold `length` bytes into a number: four lanes that do not wait for each other, constants and
 * rounds as in xxHash64 (Collet). */
static u64 mix(u64 h, const void *data, size_t length)
{
    u64 lanes[4] = {h, h + MIX_A, h + MIX_B, ~h}, word;
    const u8 *p = data;
    size_t i = 0;
    for (; length - i >= 32; i += 32)
        for (u32 k = 0; k < 4; k++) {
            memcpy(&word, p + i + 8UL * k, 8);
            lanes[k] = mix_word(lanes[k], word);
        }
    for (; i < length; i += 8) {
        word = 0;
        memcpy(&word, p + i, min_u64(8, length - i));
        lanes[i / 8 % 4] = mix_word(lanes[i / 8 % 4], word);
    }
    for (u32 k = 0; k < 4; k++) h = mix_word(h ^ h >> 29, lanes[k]);
    return h;
}

/* The links count by slots, which are part of ids: so do the lists, without walking them. */
static u64 mix_order(u64 h, const struct order *o)
{
    u64 rest[10] = {o->limit,      o->hold,       o->taker_quote, o->digest, o->seq,
                    o->maker_rate, o->taker_rate, o->closing,     o->next,   o->fifo_next};
    return mix(mix(h, &o->view, sizeof o->view), rest, sizeof rest);
}

static u64 mix_account(const struct trading *t, u64 h, u32 index)
{
    const struct account *a = ledger_account(t->ledger, index);
    u32 lists[2] = {a->open_first, a->closed_first};
    h = mix(mix(h, a->wallet, sizeof a->wallet), lists, sizeof lists);
    for (u16 token = 0; token < t->rules->token_count; token++) {
        const struct balance *b = ledger_balance(t->ledger, index, token);
        if (b) h = mix(h, b, offsetof(struct balance, account));
    }
    for (u32 use = 0; use < NONCE_USES; use++) h = nonces_mix(t->ledger, index, use, h);
    return h;
}

u64 trading_checksum(const struct trading *t)
{
    const struct ledger *l = t->ledger;
    u64 h = l->seq;
    for (u32 i = 1; i <= l->account_count; i++) h = mix_account(t, h, i);
    for (u32 slot = 1; slot <= t->orders->used; slot++)
        h = mix_order(h, orders_slot(t->orders, slot));
    h = mix(h, l->totals, sizeof l->totals);
    h = mix(h, l->merged, sizeof l->merged);
    h = transfers_mix(l, h, mix);
    h = mix(h, t->orders->markets, sizeof t->orders->markets);
    h = mix(h, t->rules->tokens, sizeof t->rules->tokens);
    if (t->rules->resting_max) h = mix(h, &t->rules->resting_max, sizeof t->rules->resting_max);
    return mix(h, t->rules->markets, sizeof t->rules->markets);
}
