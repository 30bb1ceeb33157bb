/* Each effect once; answers that can be true; and at quiet points the whole state. */
#include "tests/sim/audit.h"

#include "shm/err.h"

#include <string.h>

#define FAIL(a, label, ...) sim_fail((a)->world, label, __VA_ARGS__)

void audit_forget(struct audit *a)
{
    memset(a->nonces, 0, (SIM_ACCOUNTS + 1) * sizeof *a->nonces);
    memset(a->deposits, 0, sizeof a->deposits);
    audit_money_reset(&a->money);
    memset(a->positions, 0, sizeof a->positions);
    if (a->credits) memset(a->credits, 0, a->credit_room);
    a->time_ns = 0;
}

static void use_nonce(struct audit *a, u32 account, u32 use, u64 nonce, u64 seq)
{
    CHECK(account <= SIM_ACCOUNTS && nonce < SIM_NONCES);
    if (a->nonces[account][use][nonce]++)
        FAIL(a, "no request has two effects", "command %lu uses nonce %lu of account %u again", seq,
             nonce, account);
}

static void book_credit(struct audit *a, const struct cmd_deposit *c)
{
    u64 i = c->origin.request & 0xffffffffUL;
    while (i >= a->credit_room) {
        u32 room = a->credit_room ? 2 * a->credit_room : 1024;
        a->credits = realloc(a->credits, room);
        CHECK(a->credits);
        memset(a->credits + a->credit_room, 0, room - a->credit_room);
        a->credit_room = room;
    }
    if (a->credits[i]++)
        FAIL(a, "no request has two effects", "command %lu books credit %lu again", c->head.seq, i);
    a->deposits[c->token] += c->amount;
}

/* Each message of a ring is consumed once, in order. */
static void check_origin(struct audit *a, const struct origin *o, const struct rec *cmd)
{
    if (o->source == NO_SOURCE) return;
    u32 i = o->source == SIM_OPS ? SIM_SOURCES - 1 : o->source;
    CHECK(i < SIM_SOURCES);
    bool same = o->position == a->positions[i] && o->request == a->requests[i];
    if (o->position <= a->positions[i] && !(same && cmd->kind == CMD_CANCEL))
        FAIL(a, "each message is consumed once",
             "command %lu is from position %lu of source %u, the last was from %lu", cmd->seq,
             o->position, o->source, a->positions[i]);
    a->positions[i] = o->position;
    a->requests[i] = o->request;
}

void audit_command(struct audit *a, const struct rec *cmd)
{
    const void *body = cmd;
    if (cmd->time_ns < a->time_ns)
        FAIL(a, "time never goes back", "command %lu is stamped %lu after %lu", cmd->seq,
             cmd->time_ns, a->time_ns);
    a->time_ns = cmd->time_ns;
    switch (cmd->kind) {
    case CMD_START:
        if (((const struct cmd_start *)body)->epoch == 1)
            memset(a->positions, 0, sizeof a->positions);
        break;
    case CMD_ORDER: {
        const struct cmd_order *c = body;
        check_origin(a, &c->origin, cmd);
        use_nonce(a, c->account, 0, c->nonce, cmd->seq);
        break;
    }
    case CMD_CANCEL: {
        const struct cmd_cancel *c = body;
        check_origin(a, &c->origin, cmd);
        if (c->uses_nonce) use_nonce(a, c->account, 1, c->nonce, cmd->seq);
        break;
    }
    case CMD_DEPOSIT:
        check_origin(a, &((const struct cmd_deposit *)body)->origin, cmd);
        book_credit(a, body);
        break;
    case CMD_WITHDRAW: {
        const struct cmd_withdraw *c = body;
        check_origin(a, &c->origin, cmd);
        use_nonce(a, c->account, 2, c->nonce, cmd->seq);
        audit_withdraw(a, c);
        break;
    }
    case CMD_WITHDRAW_STEP:
        check_origin(a, &((const struct cmd_withdraw_step *)body)->origin, cmd);
        audit_withdraw_step(a, body);
        break;
    case CMD_MODE: check_origin(a, &((const struct cmd_mode *)body)->origin, cmd); break;
    default: break;
    }
}

/* --- Answers -----------------------------------------------------------------------------------
 */

void audit_ack(struct audit *a, u64 seq)
{
    if (seq > a->streams[LOG_COMMAND].count)
        FAIL(a, "answers follow from the log", "an answer follows from command %lu of %lu", seq,
             a->streams[LOG_COMMAND].count);
    a->acked = max_u64(a->acked, seq);
}

static bool is_over(u8 status)
{
    return status >= STATUS_FILLED;
}

void audit_ack_order(struct audit *a, const struct sim_sent *sent, const struct msg_reply_order *m)
{
    audit_ack(a, m->seq);
    if (!m->has_order) {
        if (!m->code)
            FAIL(a, "answers tell the order", "request %lu: success without an order",
                 m->head.request);
        return;
    }
    const struct order_view *v = &m->order;
    const struct audit_order *o = audit_book_find(&a->book, v->order_id);
    u64 digest;
    memcpy(&digest, sent->m.evidence.digest, sizeof digest);
    if (!o || o->nonce != sent->m.nonce || o->digest != digest || o->seq > m->seq)
        FAIL(a, "an acknowledged order exists", "order %lu, nonce %lu: %s", v->order_id,
             sent->m.nonce, o ? "there is another" : "it is not there");
    const struct order *now = orders_find(a->replica.trading.orders, v->order_id);
    bool over = is_over(v->status);
    if (!now) {
        if (o->state != ORDER_OVER)
            FAIL(a, "an acknowledged order exists", "order %lu is not in the state", v->order_id);
        return;
    }
    if (now->view.filled_lots < v->filled_lots || now->view.filled_quote < v->filled_quote ||
        now->view.fee < v->fee || (over && memcmp(&now->view, v, sizeof *v) != 0))
        FAIL(a, "answers never un-happen",
             "order %lu was told with %lu lots, status %u; now %lu, %u", v->order_id,
             v->filled_lots, v->status, now->view.filled_lots, now->view.status);
}

/* --- Quiet -------------------------------------------------------------------------------------
 */

#define SAME(a, what, x, y) \
    do { \
        if ((x) != (y)) \
            FAIL(a, "live = replay", "%s: %016lx live, %016lx by replay", what, (u64)(x), \
                 (u64)(y)); \
    } while (0)

static void compare_states(struct audit *a)
{
    struct world *w = a->world;
    const struct replica *r = &a->replica;
    SAME(a, "trading state", trading_checksum(&w->trading.machine), trading_checksum(&r->trading));
    SAME(a, "account records", w->trading.account.seq, r->account.seq);
    for (u32 m = 0; m < r->rules->market_count; m++) {
        u32 i = r->rules->markets[m].matching;
        SAME(a, "book", book_checksum(w->matching[i].machine.books, m),
             book_checksum(r->matching[i].machine->books, m));
        SAME(a, "match records", w->matching[i].log.seq, r->matching[i].log.seq);
    }
    SAME(a, "market data", market_checksum(w->market.data), market_checksum(r->market));
    SAME(a, "snapshot's books", trading_checksum(&w->snapshot.replica.trading),
         trading_checksum(&r->trading));
}

/* The books, the paper book, and trading's open orders are one. */
static void compare_books(struct audit *a)
{
    struct world *w = a->world;
    const struct orders *orders = w->trading.machine.orders;
    u32 open = 0, resting = 0;
    for (u32 slot = 1; slot <= orders->used; slot++) {
        const struct order_view *v = &orders_slot(orders, slot)->view;
        open += v->order_id && !is_over(v->status);
    }
    for (u32 m = 0; m < SIM_MARKETS; m++) {
        const struct market *market = &a->replica.rules->markets[m];
        const struct books *books = w->matching[market->matching].machine.books;
        for (u32 side = 0; side < 2; side++) {
            const struct audit_side *s = &a->book.sides[m][side];
            u32 i = 0;
            for (u32 c = book_first(books, m, (u8)(SIDE_BUY + side)); c;
                 c = book_next(books, c), i++) {
                struct book_order o;
                book_at(books, c, &o);
                const struct audit_order *mine =
                    i < s->count ? &a->book.orders[s->orders[i]] : NULL;
                const struct order *held = orders_find(orders, o.id);
                if (!mine || mine->id != o.id || mine->left != o.lots || !held ||
                    held->view.lots - held->view.filled_lots != o.lots)
                    FAIL(a, "books = open orders", "market %u side %u place %u: order %lu", m, side,
                         i, o.id);
            }
            if (i != s->count) FAIL(a, "books = open orders", "market %u has %u orders", m, i);
            resting += i;
        }
    }
    if (open != resting || open != orders->open_count)
        FAIL(a, "books = open orders", "%u rest, %u are open in trading, which counts %u", resting,
             open, orders->open_count);
}

/* By protocol: what must be frozen for an open order. */
static u64 hold_of(const struct order *o, const struct market *m)
{
    const struct order_view *v = &o->view;
    u64 left = v->lots - v->filled_lots;
    if (v->side == SIDE_SELL) return left * m->lot_units;
    u64 quote = left * v->price * m->tick_lot;
    u32 larger = m->maker_rate > m->taker_rate ? m->maker_rate : m->taker_rate;
    u128 exact = (u128)o->taker_quote * m->taker_rate +
                 (u128)(v->filled_quote - o->taker_quote) * m->maker_rate + (u128)quote * larger;
    return quote + (u64)((exact + RATE_ONE - 1) / RATE_ONE) - v->fee;
}

static void compare_money(struct audit *a)
{
    const struct trading *t = &a->world->trading.machine;
    u64 held[SIM_ACCOUNTS + 1][SIM_TOKENS] = {{0}}, sums[SIM_TOKENS] = {0};
    for (u32 slot = 1; slot <= t->orders->used; slot++) {
        const struct order *o = orders_slot(t->orders, slot);
        const struct market *m = &t->rules->markets[o->view.market];
        if (!o->view.order_id || is_over(o->view.status)) continue;
        held[o->view.account][o->view.side == SIDE_BUY ? m->quote : m->base] += hold_of(o, m);
    }
    for (u32 i = 1; i <= t->ledger->account_count; i++)
        for (u16 token = 0; token < SIM_TOKENS; token++) {
            const struct balance *b = ledger_balance(t->ledger, i, token);
            if ((b ? b->frozen : 0) != held[i][token])
                FAIL(a, "holds sum up to what is frozen",
                     "account %u token %u: %lu frozen, %lu held", i, token, b ? b->frozen : 0,
                     held[i][token]);
            if (b) sums[token] += b->available + b->frozen;
        }
    for (u16 token = 0; token < SIM_TOKENS; token++) {
        for (u32 i = 0; i < FEE_BUCKETS; i++) sums[token] += t->ledger->totals[token].fees[i];
        sums[token] += a->money.in_flight[token] + a->money.gone[token];
        if (sums[token] != a->deposits[token])
            FAIL(a, "money is conserved", "token %u: %lu deposited, %lu there", token,
                 a->deposits[token], sums[token]);
    }
    audit_money_compare(a, t->ledger);
}

/* What stands in the files is what was published. */
static void compare_files(struct audit *a, u32 log)
{
    struct logfile_reader r;
    struct logdir dir;
    const struct rec *rec;
    const struct audit_stream *s = &a->streams[log];
    u64 *through = &a->files_through[log];
    CHECK(logdir_open(&dir, a->world->journal_dir, false) == 0);
    enum logfile_status status = logfile_open(&r, &dir, log, *through, s->count);
    while (status == LOGFILE_END && *through < s->count &&
           (status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        const struct rec *mine = audit_record(s, ++*through);
        if (rec->seq != *through || rec->length != mine->length ||
            memcmp(rec, mine, rec->length) != 0)
            FAIL(a, "files = replay", "log %u: record %lu differs", log, *through);
        status = LOGFILE_END;
    }
    if (*through < s->count)
        FAIL(a, "files = replay", "log %u ends with record %lu of %lu (%u)", log, *through,
             s->count, status);
    logfile_close(&r);
    logdir_close(&dir);
}

/* What was sent in this life and published was consumed, exactly once. */
static void compare_credits(struct audit *a)
{
    const struct sim_clients *c = &a->world->clients;
    for (u32 i = 0; i < c->credit_count; i++) {
        if (c->credits[i].segment != a->world->segment.number) continue;
        if (i + 1 >= a->credit_room || a->credits[i + 1] != 1)
            FAIL(a, "each message is consumed once", "credit %u was sent and never booked", i + 1);
    }
}

/* Who stands by has what its primary has, to the last unit. */
static void compare_standbys(struct audit *a)
{
    const struct world *w = a->world;
    const struct sim_standby_trading *t = &w->standby_trading;
    if (t->alive && trading_checksum(&t->machine) != trading_checksum(&w->trading.machine))
        FAIL(a, "standby = primary", "trading's standby differs after command %lu",
             t->tail.position);
    for (u32 i = 0; i < w->plan->params.matching; i++) {
        const struct sim_standby_matching *m = &w->standby_matching[i];
        for (u32 market = i; m->alive && market < SIM_MARKETS; market += w->plan->params.matching)
            if (book_checksum(m->machine.books, market) !=
                book_checksum(w->matching[i].machine.books, market))
                FAIL(a, "standby = primary", "matching's standby %u differs in market %u", i,
                     market);
    }
}

void audit_quiet(struct audit *a)
{
    const struct rules *rules = a->world->trading.machine.rules;
    if (rules->market_count != SIM_MARKETS || rules->token_count != SIM_TOKENS)
        FAIL(a, "the exchange is whole", "there are %u markets and %u tokens",
             (u32)rules->market_count, (u32)rules->token_count);
    compare_states(a);
    compare_standbys(a);
    compare_books(a);
    compare_money(a);
    compare_credits(a);
    for (u32 log = 0; log < LOG_MATCH(a->world->plan->params.matching); log++)
        compare_files(a, log);
}
