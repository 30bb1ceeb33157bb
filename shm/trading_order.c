/* trading_order.c: from a proven order to a CMD_ORDER record, and what that record does.
 *
 * Checks in the order of protocol.md 2. Up to the nonce a failure leaves no record; from the nonce
 * on every outcome is one, and uses the nonce up.
 */
#include "shm/trading_inside.h"

#define SLIPPAGE_ONE 10000U /* basis points */
#define SLIPPAGE_MIN 10U
#define SLIPPAGE_MAX 1000U
#define NS_PER_S     1000000000UL
#define EXPIRE_S_MAX (1UL << 33)

/* An order in the market's own units. */
struct terms {
    u64 limit;        /* ticks; 0 = a market order met an empty side */
    u64 lots;         /* 0 = by quote amount */
    u64 quote_amount; /* quote ledger units, 0 = none */
    u64 hold;
    u64 expire_ns;
};

static u16 read_price(const struct msg_order *m, const struct market *market, struct terms *out)
{
    u128 price = wad_get(m->price);
    if (!price || price % market->tick_wad) return CODE_INVALID_PRICE;
    if (price / market->tick_wad > market->price_max) return CODE_PRICE_TOO_HIGH;
    out->limit = (u64)(price / market->tick_wad);
    return CODE_OK;
}

/* Best opposite price as merged x (1 +- s), rounded to the tick towards the passive side. */
static void protect(const struct msg_order *m, const struct market *market,
                    const struct market_state *state, struct terms *out)
{
    if (m->side == SIDE_BUY)
        out->limit = min_u64(state->ask * (SLIPPAGE_ONE + m->slippage_bps) / SLIPPAGE_ONE,
                             market->price_max);
    else
        out->limit =
            (state->bid * (SLIPPAGE_ONE - m->slippage_bps) + SLIPPAGE_ONE - 1) / SLIPPAGE_ONE;
}

static u16 read_amount(const struct msg_order *m, const struct market *market, struct terms *out)
{
    u128 amount = wad_get(m->amount);
    if (amount % market->lot_wad) return CODE_INVALID_AMOUNT;
    u128 lots = amount / market->lot_wad;
    if (!lots || lots < market->lots_min) return CODE_AMOUNT_TOO_SMALL;
    if (lots > market->lots_max) return CODE_AMOUNT_TOO_LARGE;
    out->lots = (u64)lots;
    return CODE_OK;
}

static u16 read_quote_amount(const struct trading *t, const struct msg_order *m,
                             const struct market *market, struct terms *out)
{
    u64 unit = pow10_u64(18U - t->rules->tokens[market->quote].decimals);
    u128 amount = wad_get(m->quote_amount);
    if (amount % unit) return CODE_INVALID_AMOUNT;
    if (amount / unit < market->notional_min) return CODE_NOTIONAL_TOO_SMALL;
    if (amount / unit > market->notional_max) return CODE_NOTIONAL_TOO_LARGE;
    out->quote_amount = (u64)(amount / unit);
    return CODE_OK;
}

/* Fields that api checked already, checked again because api is not trusted. */
static u16 check_shape(const struct trading *t, const struct msg_order *m)
{
    bool by_quote = wad_get(m->quote_amount) != 0;
    if (m->market >= t->rules->market_count) return CODE_MARKET_NOT_FOUND;
    if (m->side != SIDE_BUY && m->side != SIDE_SELL) return CODE_INVALID_SIDE;
    if (m->type != TYPE_LIMIT && m->type != TYPE_MARKET) return CODE_INVALID_TYPE;
    if (m->tif < TIF_GTC || m->tif > TIF_GTX) return CODE_INVALID_TIF;
    if (m->type == TYPE_MARKET && m->tif == TIF_GTX) return CODE_INVALID_TIF;
    if (m->stp > STP_CANCEL_BOTH || m->client_id_length > CLIENT_ID_BYTES)
        return CODE_INVALID_PARAMS;
    if (m->type == TYPE_LIMIT && (by_quote || m->slippage_bps)) return CODE_INVALID_PARAMS;
    if (m->type == TYPE_LIMIT) return CODE_OK;
    if (m->slippage_bps < SLIPPAGE_MIN || m->slippage_bps > SLIPPAGE_MAX || wad_get(m->price))
        return CODE_INVALID_PARAMS;
    if (by_quote && (m->side != SIDE_BUY || wad_get(m->amount))) return CODE_INVALID_PARAMS;
    return CODE_OK;
}

static u16 check_mode(const struct trading *t, const struct market *market)
{
    if (t->rules->mode == MODE_HALTED) return CODE_MAINTENANCE;
    if (t->rules->mode == MODE_CANCEL_ONLY) return CODE_CANCEL_ONLY;
    return market->mode == MODE_NORMAL ? CODE_OK : CODE_MARKET_SUSPENDED;
}

/* Price, size, notional and expiry rules; fills `out`. */
static u16 read_terms(const struct trading *t, const struct msg_order *m, struct terms *out)
{
    const struct market *market = market_of(t, m->market);
    const struct market_state *state = &t->orders->markets[m->market];
    bool by_quote = wad_get(m->quote_amount) != 0;
    u16 code = CODE_OK;
    *out = (struct terms){0};
    if (m->type == TYPE_LIMIT) code = read_price(m, market, out);
    else if (m->side == SIDE_BUY ? state->ask : state->bid) protect(m, market, state, out);
    if (!code) code = by_quote ? read_quote_amount(t, m, market, out) : read_amount(m, market, out);
    if (code) return code;
    u64 quote = by_quote ? out->quote_amount : market_notional(market, out->limit, out->lots);
    if (out->limit && quote < market->notional_min) return CODE_NOTIONAL_TOO_SMALL;
    if (out->limit && quote > market->notional_max) return CODE_NOTIONAL_TOO_LARGE;
    if (m->side == SIDE_BUY) out->hold = quote + rate_ceil((u128)quote * market_rate_max(market));
    else out->hold = out->lots * market->lot_units;
    if (m->expire_s > EXPIRE_S_MAX) return CODE_INVALID_PARAMS;
    out->expire_ns = m->expire_s * NS_PER_S;
    if (out->expire_ns && out->expire_ns <= t->now_ns) return CODE_ORDER_EXPIRED;
    if (out->expire_ns > t->now_ns + t->rules->expiry_max_ns) return CODE_INVALID_PARAMS;
    return CODE_OK;
}

/* Is there room in every arena for what accepting this order would add? */
static bool has_room(const struct trading *t, u32 account)
{
    return orders_next_id(t->orders) && nonce_room(t->ledger, account, NONCE_ORDER) &&
           t->ledger->config.balances_max - t->ledger->balance_count >= 2;
}

static bool may_rest(const struct msg_order *m)
{
    return m->type == TYPE_LIMIT && (m->tif == TIF_GTC || m->tif == TIF_GTX);
}

/* What is decided after the nonce, in order; every answer is a record. */
static u16 check_account(const struct trading *t, const struct msg_order *m,
                         const struct terms *terms, u32 account)
{
    const struct account *a = ledger_account(t->ledger, account);
    const struct market *market = market_of(t, m->market);
    const struct market_state *state = &t->orders->markets[m->market];
    if (m->client_id_length &&
        orders_find_client(t->orders, account, m->client_id, m->client_id_length))
        return CODE_DUPLICATE_ORDER;
    if (!terms->limit) return CODE_NO_LIQUIDITY;
    if (may_rest(m) && a->open_count >= t->rules->open_orders_max &&
        orders_count_open(t->orders, a, m->market) >= t->rules->open_orders_max)
        return CODE_TOO_MANY_OPEN;
    if (may_rest(m) && state->resting + state->pending >= t->rules->resting_orders_max)
        return CODE_TOO_MANY_OPEN;
    const struct balance *b =
        ledger_balance(t->ledger, account, m->side == SIDE_BUY ? market->quote : market->base);
    return b && b->available >= terms->hold ? CODE_OK : CODE_INSUFFICIENT_BALANCE;
}

/* The very same order again: answer what became of it. */
static void answer_again(struct trading *t, const struct msg_order *m, u64 outcome, u32 account)
{
    u64 seq = ledger_account(t->ledger, account)->seq;
    if (outcome & OUTCOME_CODE) {
        reply_order(t, m->head.request, (u16)outcome, NULL, seq);
        return;
    }
    const struct order *o = orders_find(t->orders, outcome);
    reply_order(t, m->head.request, o ? o->view.code : CODE_NONCE_USED, o, seq);
}

/* Wallet, client id and evidence stand side by side, and last, in message and record: they are
 * copied at once, as the checksum reads whole words (rec_put). */
#define SIGNED_BYTES (WALLET_BYTES + CLIENT_ID_BYTES + sizeof(struct evidence))
_Static_assert(offsetof(struct cmd_order, wallet) + SIGNED_BYTES == sizeof(struct cmd_order) &&
                   offsetof(struct msg_order, wallet) + SIGNED_BYTES == sizeof(struct msg_order),
               "what is copied at once");

static struct cmd_order *log_order(struct trading *t, const struct msg_order *m,
                                   const struct terms *terms, u32 account, u16 code)
{
    const struct market *market = market_of(t, m->market);
    struct cmd_order *c = log_begin(t->command, CMD_ORDER, sizeof *c);
    c->order_id = code ? 0 : orders_next_id(t->orders);
    c->nonce = m->nonce;
    c->price = terms->limit;
    c->lots = terms->lots;
    c->quote_amount = terms->quote_amount;
    c->hold = terms->hold;
    c->expire_ns = terms->expire_ns;
    u32 tif = m->type == TYPE_MARKET && m->tif != TIF_FOK ? TIF_IOC : m->tif;
    rec_put(&c->account, account, market->maker_rate);
    rec_put(&c->taker_rate, market->taker_rate, m->market | (u32)code << 16); /* and market, code */
    rec_put(&c->slippage_bps, m->slippage_bps | (u32)m->side << 16 | (u32)m->type << 24,
            tif | (u32)m->stp << 8 | (u32)m->signature_type << 16 |
                (u32)m->client_id_length << 24); /* and what stands between */
    memcpy(&c->wallet, &m->wallet, SIGNED_BYTES);
    return c;
}

void trading_order(struct trading *t, const struct msg_order *m, u16 source, u64 position)
{
    struct terms terms;
    u64 outcome = 0, digest = digest_head(m->evidence.digest), request = m->head.request;
    u16 code = check_shape(t, m);
    u32 account = code ? NO_ACCOUNT : ledger_find(t->ledger, m->wallet);
    enum nonce_state nonce = NONCE_FREE;
    if (account != NO_ACCOUNT)
        nonce = nonce_look(t->ledger, account, NONCE_ORDER, m->nonce, digest, &outcome);
    if (nonce == NONCE_SEEN) {
        answer_again(t, m, outcome, account);
        return;
    }
    if (!code) code = check_mode(t, market_of(t, m->market));
    if (!code) code = read_terms(t, m, &terms);
    if (!code && account == NO_ACCOUNT) code = CODE_INSUFFICIENT_BALANCE;
    if (!code && nonce == NONCE_SPENT) code = CODE_NONCE_USED;
    if (!code && !has_room(t, account)) code = CODE_UNAVAILABLE;
    if (code) {
        t->counts.refused++;
        reply_order(t, request, code, NULL,
                    atomic_load_explicit(&t->ledger->seq, memory_order_relaxed));
        return;
    }
    code = check_account(t, m, &terms, account);
    struct cmd_order *c = log_order(t, m, &terms, account, code);
    c->origin = (struct origin){.position = position, .request = request, .source = source};
    log_commit_fixed(t->command, c, sizeof *c, t->now_ns, t->command->seq + 1);
    trading_apply(t, &c->head);
}

static void fill_order(struct order *o, const struct cmd_order *c)
{
    struct order_view *v = &o->view;
    v->nonce = c->nonce;
    v->price = c->type == TYPE_MARKET ? 0 : c->price;
    v->lots = c->lots;
    v->quote_amount = c->quote_amount;
    v->expire_ns = c->expire_ns;
    v->created_ns = v->updated_ns = c->head.time_ns;
    v->account = c->account;
    v->market = c->market;
    v->side = c->side;
    v->type = c->type;
    v->tif = c->tif;
    v->stp = c->stp;
    v->status = STATUS_PENDING;
    v->signature_type = c->signature_type;
    v->client_id_length = c->client_id_length;
    memcpy(v->wallet, c->wallet, sizeof v->wallet);
    memcpy(v->client_id, c->client_id, sizeof v->client_id);
    o->limit = c->price;
    o->hold = c->hold;
    o->digest = digest_head(c->evidence.digest);
    o->reply = c->origin.request;
    o->seq = c->head.seq;
    o->maker_rate = c->maker_rate;
    o->taker_rate = c->taker_rate;
}

static void apply_refused(struct trading *t, const struct cmd_order *c)
{
    struct account *a = ledger_account(t->ledger, c->account);
    account_begin(a, c->head.seq);
    nonce_use(t->ledger, c->account, NONCE_ORDER, c->nonce, digest_head(c->evidence.digest),
              OUTCOME_CODE | c->code);
    account_end(a);
    reply_order(t, c->origin.request, c->code, NULL, c->head.seq);
}

void apply_order(struct trading *t, const struct cmd_order *c)
{
    if (c->code) {
        t->counts.refused++;
        apply_refused(t, c);
        return;
    }
    t->counts.accepted++;
    struct account *a = ledger_account(t->ledger, c->account);
    struct order *o = orders_take(t->orders, t->ledger, c->order_id, c->head.seq);
    account_begin(a, c->head.seq);
    fill_order(o, c);
    order_bind(o, t->ledger, market_of(t, c->market));
    struct balance *held = ledger_row(t->ledger, c->side == SIDE_BUY ? o->quote_row : o->base_row);
    CHECK(held->available >= c->hold);
    held->available -= c->hold;
    held->frozen += c->hold;
    held->updated_ns = c->head.time_ns;
    nonce_use(t->ledger, c->account, NONCE_ORDER, c->nonce, o->digest, c->order_id);
    orders_link_open(t->orders, t->ledger, o);
    account_end(a);
    t->orders->markets[c->market].pending++;
}
