/* trading_transfer.c: money that comes in and goes out.
 *
 *   deposit      -> available
 *   withdrawal   available -> in flight -> gone (confirmed)
 *                                 '------> available again (cancelled, rejected, failed)
 *
 * Checks of a withdrawal in the order of protocol.md 2: token, mode, amount and the limit of a
 * single one, then the nonce, then the wallet's limits and its balance; from the nonce on every
 * outcome is a record.
 */
#include "shm/trading_inside.h"

#define HOUR_NS     3600000000000UL
#define DAY_NS      (24 * HOUR_NS)
#define WORTH_MAX   (1UL << 56) /* ticks x lots: far beyond any limit, and sums stay in range */
#define TOKEN_SCALE 18U         /* decimals of what was signed */

static u64 now_seq(const struct trading *t)
{
    return atomic_load_explicit(&t->ledger->seq, memory_order_relaxed);
}

/* --- Account records, answers --------------------------------------------------------------------
 */

static void fill_balance(const struct trading *t, struct account_balance *r,
                         const struct balance *b, enum balance_reason reason, u64 ref)
{
    r->settled_available = b->available;
    r->settled_frozen = b->frozen;
    r->pending_available = b->pending_available;
    r->pending_frozen = b->pending_frozen;
    r->ref_id = ref;
    r->account = b->account;
    r->token = b->token;
    r->reason = (u8)reason;
    r->zero8 = 0;
    memcpy(r->wallet, ledger_account(t->ledger, b->account)->wallet, WALLET_BYTES);
    r->zero32 = 0;
}

/* As replay of a deposit of version 1 has always made it. */
static void emit_balance_1(struct trading *t, const struct balance *b, const struct rec *cause)
{
    if (log_skip(t->account)) return;
    struct account_balance *r = log_begin(t->account, ACCOUNT_BALANCE, sizeof *r);
    fill_balance(t, r, b, BALANCE_DEPOSIT, cause->seq);
    log_commit(t->account, r, cause->time_ns, cause->seq);
}

static void emit_balance(struct trading *t, const struct balance *b, enum balance_reason reason,
                         const struct transfer *why, const struct rec *cause)
{
    if (log_skip(t->account)) return;
    struct account_balance_2 *r = log_begin(t->account, ACCOUNT_BALANCE, sizeof *r);
    r->now.head.version = 2;
    fill_balance(t, &r->now, b, reason, why->view.id);
    r->amount = why->view.amount;
    r->left = reason == BALANCE_WITHDRAW;
    memset(r->zero, 0, sizeof r->zero);
    log_commit(t->account, r, cause->time_ns, cause->seq);
}

static void reply_withdraw(struct trading *t, u64 request, u16 code, const struct transfer *of,
                           u64 seq)
{
    if (!request || !t->reply) return;
    struct msg_reply_withdraw m = {
        .head = {.length = sizeof m, .kind = MSG_REPLY_WITHDRAW, .request = request},
        .seq = seq,
        .code = code,
        .has_transfer = of != NULL,
    };
    if (of) m.transfer = of->view;
    t->reply(t->reply_context, &m.head);
}

/* --- Deposits ----------------------------------------------------------------------------------
 */

static struct transfer *add_deposit(struct trading *t, const struct cmd_deposit_2 *c, u32 account)
{
    struct transfer *d = transfers_take(t->ledger, c->transfer_id, c->was.head.seq);
    struct transfer_view *v = &d->view;
    v->amount = c->was.amount;
    v->block = c->block;
    v->created_ns = v->updated_ns = c->was.head.time_ns;
    v->account = account;
    v->log_index = c->log_index;
    v->token = c->was.token;
    v->kind = TRANSFER_DEPOSIT;
    v->status = DEPOSIT_CREDITED;
    v->has_tx = c->has_tx;
    memcpy(v->wallet, c->was.wallet, sizeof v->wallet);
    memcpy(v->tx_hash, c->tx_hash, sizeof v->tx_hash);
    return d;
}

void apply_deposit(struct trading *t, const struct cmd_deposit *c)
{
    struct ledger *l = t->ledger;
    u32 index = ledger_open_account(l, c->wallet, c->head.time_ns);
    CHECK(index != NO_ACCOUNT);
    struct transfer *d = NULL;
    if (c->head.version >= 2) d = add_deposit(t, (const void *)c, index);
    struct account *a = ledger_account(l, index);
    account_begin(a, c->head.seq);
    struct balance *b = ledger_open_balance(l, index, c->token);
    CHECK(b);
    b->available += c->amount;
    b->updated_ns = c->head.time_ns;
    l->totals[c->token].deposits += c->amount;
    t->counts.deposits++;
    if (d) {
        transfers_link(l, d);
        transfers_close(l, d);
    }
    account_end(a);
    if (d) emit_balance(t, b, BALANCE_DEPOSIT, d, &c->head);
    else emit_balance_1(t, b, &c->head);
    reply_ops(t, c->origin.request, CODE_OK, c->head.seq);
}

/* Why a deposit cannot be booked, or 0. Room is asked for a new account with its first row. */
static u16 deposit_code(const struct trading *t, const struct msg_credit *m)
{
    const struct ledger *l = t->ledger;
    if (m->token >= t->rules->token_count) return CODE_TOKEN_NOT_SUPPORTED;
    if (!m->amount || m->amount > BALANCE_MAX - l->totals[m->token].deposits)
        return CODE_INVALID_AMOUNT;
    if (l->balance_count == l->config.balances_max || !transfers_next_id(l))
        return CODE_UNAVAILABLE;
    if (ledger_find(l, m->wallet) == NO_ACCOUNT && l->account_count == l->config.accounts_max)
        return CODE_UNAVAILABLE;
    return CODE_OK;
}

/* Was this very transaction credited before? Then the answer: done, or that it was another one. */
static bool is_known(struct trading *t, const struct msg_credit *m)
{
    const struct transfer *d =
        m->has_tx ? transfers_find_tx(t->ledger, m->tx_hash, m->log_index) : NULL;
    if (!d) return false;
    bool same = d->view.amount == m->amount && d->view.token == m->token &&
                !memcmp(d->view.wallet, m->wallet, WALLET_BYTES);
    reply_ops(t, m->head.request, same ? CODE_OK : CODE_NONCE_USED, now_seq(t));
    return true;
}

void trading_credit(struct trading *t, const struct msg_credit *m, u16 source, u64 position)
{
    if (is_known(t, m)) return;
    u16 code = deposit_code(t, m);
    if (code) {
        reply_ops(t, m->head.request, code, now_seq(t));
        return;
    }
    struct cmd_deposit_2 *c = log_begin(t->command, CMD_DEPOSIT, sizeof *c);
    struct cmd_deposit *was = &c->was;
    was->head.version = 2;
    was->origin =
        (struct origin){.position = position, .request = m->head.request, .source = source};
    was->amount = m->amount;
    was->token = m->token;
    was->zero16 = 0;
    memcpy(was->wallet, m->wallet, WALLET_BYTES);
    c->transfer_id = transfers_next_id(t->ledger);
    c->block = m->block;
    memcpy(c->tx_hash, m->tx_hash, sizeof c->tx_hash);
    c->log_index = m->log_index;
    c->has_tx = m->has_tx;
    memset(c->zero, 0, sizeof c->zero);
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, &was->head);
}

/* --- Withdrawals: asking for one ---------------------------------------------------------------
 */

/* What `units` of a token are worth in the token that limits are told in, at the last price (or the
 * best one there is) of their market; 0 where there is none. */
static u128 worth(const struct trading *t, u16 token, u64 units)
{
    const struct rules *r = t->rules;
    if (token == r->withdraw.token) return units;
    for (u32 i = 0; i < r->market_count; i++) {
        const struct market *m = &r->markets[i];
        const struct market_state *s = &t->orders->markets[i];
        if (m->base != token || m->quote != r->withdraw.token) continue;
        u64 price = s->last_price ? s->last_price : s->bid ? s->bid : s->ask;
        u128 ticks = (u128)units * price / m->lot_units; /* < 2^62 x 2^63 */
        return ticks > WORTH_MAX ? (u128)WORTH_MAX * m->tick_lot : ticks * m->tick_lot;
    }
    return 0;
}

/* Against what the wallet took out lately; what came back does not count. */
static u16 check_limits(const struct trading *t, const struct account *a, u128 value)
{
    const struct withdraw_limits *w = &t->rules->withdraw;
    u32 hour = 0, day = 0;
    u128 taken = value;
    for (u32 s = a->transfers_last[TRANSFER_WITHDRAWAL]; s;) {
        const struct transfer *of = transfers_slot(t->ledger, s);
        const struct transfer_view *v = &of->view;
        if (v->created_ns + DAY_NS <= t->now_ns) break;
        day++;
        hour += v->created_ns + HOUR_NS > t->now_ns;
        bool back = withdraw_is_over(v->status) && v->status != WITHDRAW_CONFIRMED;
        if (!back) taken += worth(t, v->token, v->amount);
        s = of->prev;
    }
    if (w->per_hour && hour >= w->per_hour) return CODE_WITHDRAW_LIMIT;
    if (w->per_day && day >= w->per_day) return CODE_WITHDRAW_LIMIT;
    return w->daily && taken > w->daily ? CODE_WITHDRAW_LIMIT : CODE_OK;
}

/* Token, mode, amount, and the limit of a single one. */
static u16 check_withdraw(const struct trading *t, const struct msg_withdraw *m, u64 *units)
{
    const struct rules *r = t->rules;
    u128 amount = wad_get(m->amount);
    if (m->token >= r->token_count) return CODE_TOKEN_NOT_SUPPORTED;
    if (r->mode == MODE_HALTED) return CODE_MAINTENANCE;
    u64 unit = pow10_u64(TOKEN_SCALE - r->tokens[m->token].decimals);
    if (amount % unit) return CODE_INVALID_PARAMS;
    amount /= unit;
    if (!amount || amount < r->withdraw.least[m->token]) return CODE_WITHDRAW_TOO_SMALL;
    *units = amount > BALANCE_MAX ? BALANCE_MAX : (u64)amount;
    if (r->withdraw.single && worth(t, m->token, *units) > r->withdraw.single)
        return CODE_WITHDRAW_LIMIT;
    return amount > BALANCE_MAX ? CODE_INSUFFICIENT_BALANCE : CODE_OK;
}

static void log_withdraw(struct trading *t, const struct msg_withdraw *m, u32 account, u64 units,
                         u16 code, const struct origin *origin)
{
    struct cmd_withdraw *c = log_begin(t->command, CMD_WITHDRAW, sizeof *c);
    c->origin = *origin;
    c->transfer_id = code ? 0 : transfers_next_id(t->ledger);
    c->nonce = m->nonce;
    c->amount = units;
    c->account = account;
    c->token = m->token;
    c->code = code;
    memcpy(c->wallet, m->wallet, sizeof c->wallet);
    memcpy(c->to_address, m->to_address, sizeof c->to_address);
    memset(c->zero, 0, sizeof c->zero);
    c->evidence = m->evidence;
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, &c->head);
}

/* The very same one again: what became of it. */
static void answer_again(struct trading *t, u64 request, u64 outcome, u64 seq)
{
    const struct transfer *of = outcome & OUTCOME_CODE ? NULL : transfers_find(t->ledger, outcome);
    u16 code = outcome & OUTCOME_CODE ? (u16)outcome : of ? CODE_OK : CODE_NONCE_USED;
    reply_withdraw(t, request, code, of, seq);
}

void trading_withdraw(struct trading *t, const struct msg_withdraw *m, u16 source, u64 position)
{
    const struct origin origin = {
        .position = position, .request = m->head.request, .source = source};
    u64 outcome = 0, units = 0, digest = digest_head(m->evidence.digest);
    u32 account = ledger_find(t->ledger, m->wallet);
    const struct account *a = account == NO_ACCOUNT ? NULL : ledger_account(t->ledger, account);
    enum nonce_state nonce = NONCE_FREE;
    if (a) nonce = nonce_look(t->ledger, account, NONCE_WITHDRAW, m->nonce, digest, &outcome);
    if (nonce == NONCE_SEEN) {
        answer_again(t, m->head.request, outcome, a->seq);
        return;
    }
    u16 code = check_withdraw(t, m, &units);
    if (!code && !a) code = CODE_INSUFFICIENT_BALANCE;
    if (!code && nonce == NONCE_SPENT) code = CODE_NONCE_USED;
    if (!code && (!transfers_next_id(t->ledger) || !nonce_room(t->ledger, account, NONCE_WITHDRAW)))
        code = CODE_UNAVAILABLE;
    if (code || !a) {
        reply_withdraw(t, m->head.request, code, NULL, now_seq(t));
        return;
    }
    code = check_limits(t, a, worth(t, m->token, units));
    const struct balance *b = ledger_balance(t->ledger, account, m->token);
    if (!code && (!b || b->available < units)) code = CODE_INSUFFICIENT_BALANCE;
    log_withdraw(t, m, account, units, code, &origin);
}

static struct transfer *add_withdrawal(struct trading *t, const struct cmd_withdraw *c)
{
    struct transfer *w = transfers_take(t->ledger, c->transfer_id, c->head.seq);
    struct transfer_view *v = &w->view;
    v->amount = c->amount;
    v->nonce = c->nonce;
    v->created_ns = v->updated_ns = c->head.time_ns;
    v->account = c->account;
    v->token = c->token;
    v->kind = TRANSFER_WITHDRAWAL;
    v->status = WITHDRAW_PENDING;
    memcpy(v->wallet, c->wallet, sizeof v->wallet);
    memcpy(v->to_address, c->to_address, sizeof v->to_address);
    return w;
}

void apply_withdraw(struct trading *t, const struct cmd_withdraw *c)
{
    struct ledger *l = t->ledger;
    struct account *a = ledger_account(l, c->account);
    struct balance *b = ledger_balance(l, c->account, c->token);
    struct transfer *w = c->code ? NULL : add_withdrawal(t, c);
    u64 outcome = w ? c->transfer_id : OUTCOME_CODE | c->code;
    account_begin(a, c->head.seq);
    nonce_use(l, c->account, NONCE_WITHDRAW, c->nonce, digest_head(c->evidence.digest), outcome);
    if (w) {
        CHECK(b && b->available >= c->amount);
        b->available -= c->amount;
        b->updated_ns = c->head.time_ns;
        l->in_flight[c->token] += c->amount;
        transfers_link(l, w);
        t->counts.withdrawals++;
    }
    account_end(a);
    if (w) emit_balance(t, b, BALANCE_WITHDRAW, w, &c->head);
    reply_withdraw(t, c->origin.request, c->code, w, c->head.seq);
}

/* --- Withdrawals: what becomes of one ----------------------------------------------------------
 */

static void log_step(struct trading *t, const struct cmd_withdraw_step *step)
{
    struct rec *c = log_begin(t->command, CMD_WITHDRAW_STEP, sizeof *step);
    memcpy(c + 1, (const u8 *)step + sizeof *c, sizeof *step - sizeof *c);
    log_commit(t->command, c, t->now_ns, t->command->seq + 1);
    trading_apply(t, c);
}

static struct transfer *find_withdrawal(const struct trading *t, u64 id)
{
    struct transfer *w = transfers_find(t->ledger, id);
    return w && w->view.kind == TRANSFER_WITHDRAWAL ? w : NULL;
}

void trading_withdraw_cancel(struct trading *t, const struct msg_withdraw_cancel *m, u16 source,
                             u64 position)
{
    const struct transfer *w = find_withdrawal(t, m->transfer_id);
    u16 code = CODE_OK;
    if (!w || memcmp(w->view.wallet, m->wallet, WALLET_BYTES) != 0) code = CODE_WITHDRAW_NOT_FOUND;
    else if (t->rules->mode == MODE_HALTED) code = CODE_MAINTENANCE;
    else if (w->view.status != WITHDRAW_PENDING) code = CODE_WITHDRAW_NOT_CANCELLABLE;
    if (code) {
        reply_withdraw(t, m->head.request, code, NULL, now_seq(t));
        return;
    }
    struct cmd_withdraw_step step = {
        .origin = {.position = position, .request = m->head.request, .source = source},
        .transfer_id = m->transfer_id,
        .status = WITHDRAW_CANCELLED,
        .by = STEP_BY_OWNER,
        .evidence = m->evidence,
    };
    log_step(t, &step);
}

void trading_withdraw_step(struct trading *t, const struct msg_withdraw_step *m, u16 source,
                           u64 position)
{
    const struct transfer *w = find_withdrawal(t, m->transfer_id);
    u16 code = CODE_OK;
    if (!w) code = CODE_WITHDRAW_NOT_FOUND;
    else if (m->status == WITHDRAW_CANCELLED || !withdraw_may_step(w->view.status, m->status))
        code = CODE_WITHDRAW_NOT_CANCELLABLE; /* only its owner cancels */
    if (code) {
        reply_ops(t, m->head.request, code, now_seq(t));
        return;
    }
    struct cmd_withdraw_step step = {
        .origin = {.position = position, .request = m->head.request, .source = source},
        .transfer_id = m->transfer_id,
        .status = m->status,
        .by = STEP_BY_OPERATOR,
        .has_tx = m->has_tx != 0,
    };
    if (m->has_tx) memcpy(step.tx_hash, m->tx_hash, sizeof step.tx_hash);
    log_step(t, &step);
}

/* Over: gone for good, or back where it came from. */
static void finish(struct trading *t, struct transfer *w, struct balance *b, u64 now_ns)
{
    struct ledger *l = t->ledger;
    u64 amount = w->view.amount;
    CHECK(l->in_flight[w->view.token] >= amount);
    l->in_flight[w->view.token] -= amount;
    if (w->view.status == WITHDRAW_CONFIRMED) {
        l->totals[w->view.token].withdrawals += amount;
    } else {
        b->available += amount;
        b->updated_ns = now_ns;
    }
    transfers_close(l, w);
}

void apply_withdraw_step(struct trading *t, const struct cmd_withdraw_step *c)
{
    struct transfer *w = find_withdrawal(t, c->transfer_id);
    CHECK(w && withdraw_may_step(w->view.status, c->status));
    struct account *a = ledger_account(t->ledger, w->view.account);
    struct balance *b = ledger_balance(t->ledger, w->view.account, w->view.token);
    CHECK(b);
    account_begin(a, c->head.seq);
    w->view.status = c->status;
    w->view.updated_ns = c->head.time_ns;
    if (c->has_tx) {
        w->view.has_tx = 1;
        memcpy(w->view.tx_hash, c->tx_hash, sizeof w->view.tx_hash);
    }
    bool over = withdraw_is_over(c->status);
    if (over) finish(t, w, b, c->head.time_ns);
    account_end(a);
    if (over && c->status != WITHDRAW_CONFIRMED) emit_balance(t, b, BALANCE_RETURN, w, &c->head);
    if (c->by == STEP_BY_OWNER) reply_withdraw(t, c->origin.request, CODE_OK, w, c->head.seq);
    else reply_ops(t, c->origin.request, CODE_OK, c->head.seq);
}
