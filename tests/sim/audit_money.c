/* Withdrawals, once more from the log alone: each goes only where it may, and its money is in
 * flight, gone or back. */
#include "tests/sim/audit.h"

#include <string.h>

#include "shm/transfers.h"

#define FAIL(a, label, ...) sim_fail((a)->world, label, __VA_ARGS__)

void audit_money_reset(struct audit_money *m)
{
    m->count = 0;
    memset(m->in_flight, 0, sizeof m->in_flight);
    memset(m->gone, 0, sizeof m->gone);
}

void audit_withdraw(struct audit *a, const struct cmd_withdraw *c)
{
    struct audit_money *m = &a->money;
    if (c->code) return;
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 64;
        m->all = realloc(m->all, m->room * sizeof *m->all);
        CHECK(m->all);
    }
    m->all[m->count++] = (struct audit_withdrawal){
        .id = c->transfer_id, .amount = c->amount, .token = c->token, .status = WITHDRAW_PENDING};
    m->in_flight[c->token] += c->amount;
}

/* The ways protocol.md and the operators' guide leave open. */
static bool may(u8 from, u8 to, u8 by)
{
    if (by == STEP_BY_OWNER) return from == WITHDRAW_PENDING && to == WITHDRAW_CANCELLED;
    if (from == WITHDRAW_PENDING) return to == WITHDRAW_PROCESSING || to == WITHDRAW_REJECTED;
    if (to == WITHDRAW_SUBMITTED) return from == WITHDRAW_PROCESSING;
    return from <= WITHDRAW_SUBMITTED && (to == WITHDRAW_CONFIRMED || to == WITHDRAW_FAILED);
}

void audit_withdraw_step(struct audit *a, const struct cmd_withdraw_step *c)
{
    struct audit_money *m = &a->money;
    struct audit_withdrawal *w = NULL;
    for (u32 i = 0; i < m->count && !w; i++)
        if (m->all[i].id == c->transfer_id) w = &m->all[i];
    if (!w || !may(w->status, c->status, c->by))
        FAIL(a, "a withdrawal goes only where it may", "command %lu makes %lu, which is %u, %u",
             c->head.seq, c->transfer_id, w ? w->status : 99, c->status);
    w->status = c->status;
    if (c->status < WITHDRAW_CONFIRMED) return;
    m->in_flight[w->token] -= w->amount;
    if (c->status == WITHDRAW_CONFIRMED) m->gone[w->token] += w->amount;
}

void audit_money_compare(const struct audit *a, const struct ledger *l)
{
    for (u32 token = 0; token < SIM_TOKENS; token++)
        if (l->in_flight[token] != a->money.in_flight[token] ||
            l->totals[token].withdrawals != a->money.gone[token])
            FAIL(a, "money is conserved",
                 "token %u: %lu in flight, %lu gone; the ledger has %lu, %lu", token,
                 a->money.in_flight[token], a->money.gone[token], l->in_flight[token],
                 l->totals[token].withdrawals);
    for (u32 i = 0; i < a->money.count; i++) {
        const struct audit_withdrawal *w = &a->money.all[i];
        const struct transfer *t = transfers_find(l, w->id);
        if (t ? t->view.status != w->status || t->view.amount != w->amount
              : !withdraw_is_over(w->status))
            FAIL(a, "an acknowledged withdrawal exists", "%lu, status %u", w->id, w->status);
    }
}
