#include "cli/conserved.h"

#include <string.h>
#include <time.h>

#define TRIES      200U /* of 2 ms and what a sum takes */
#define AGREEMENTS 5U   /* equal readings of a ledger at rest, before it is called unsound */

static bool same(const struct ledger_sum *a, const struct ledger_sum *b)
{
    return a->available == b->available && a->frozen == b->frozen && a->fees == b->fees &&
           a->in_flight == b->in_flight && a->deposits == b->deposits &&
           a->withdrawals == b->withdrawals && a->shortfall == b->shortfall;
}

/* The sequence stands still within a step of trading too, so one unsound reading proves nothing;
 * several equal ones in a row do. */
static enum conserved_verdict check_token(const struct ledger *l, u16 token, struct ledger_sum *sum)
{
    struct ledger_sum last = {0};
    u32 agreed = 0;
    for (u32 i = 0; i < TRIES; i++) {
        u64 before = atomic_load_explicit(&l->seq, memory_order_acquire);
        ledger_sum(l, token, sum);
        atomic_thread_fence(memory_order_acquire);
        u64 after = atomic_load_explicit(&l->seq, memory_order_relaxed);
        if (before == after && sum->conserved) return CONSERVED_YES;
        agreed = before == after && same(&last, sum) ? agreed + 1 : 0;
        if (agreed == AGREEMENTS) return CONSERVED_NO;
        last = *sum;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return CONSERVED_BUSY;
}

void conserved_check(struct segment *s, const struct rules *rules, struct conserved *out)
{
    memset(out, 0, sizeof *out);
    out->all = CONSERVED_BUSY;
    void *object = rules ? cli_object(s, "ledger") : NULL;
    if (!object) return;
    const struct ledger *ledger = ledger_join(object);
    out->all = CONSERVED_YES;
    out->tokens = atomic_load_explicit(&rules->token_count, memory_order_acquire);
    for (u32 t = 0; t < out->tokens; t++) {
        out->token[t] = check_token(ledger, (u16)t, &out->sum[t]);
        if (out->token[t] == CONSERVED_NO) out->all = CONSERVED_NO;
        else if (out->token[t] == CONSERVED_BUSY && out->all == CONSERVED_YES)
            out->all = CONSERVED_BUSY;
    }
}

static void json_verdict(struct json_out *out, enum conserved_verdict verdict)
{
    json_put_key(out, "conserved");
    if (verdict == CONSERVED_BUSY) json_put_json(out, "null", 4);
    else json_put_bool(out, verdict == CONSERVED_YES);
}

void conserved_json(struct json_out *out, const struct conserved *c, const struct rules *rules)
{
    json_verdict(out, c->all);
    json_put_key(out, "tokens"), json_put_open(out, '[');
    for (u32 t = 0; t < c->tokens; t++) {
        const struct ledger_sum *sum = &c->sum[t];
        const struct {
            const char *name;
            u64 units;
        } fields[] = {{"available", sum->available}, {"held", sum->frozen},
                      {"fees", sum->fees},           {"in_flight", sum->in_flight},
                      {"deposits", sum->deposits},   {"withdrawals", sum->withdrawals},
                      {"shortfall", sum->shortfall}};
        json_put_open(out, '{');
        json_put_key(out, "token"), json_put_cstring(out, rules->tokens[t].symbol);
        for (u32 i = 0; i < COUNT_OF(fields); i++) {
            json_put_key(out, fields[i].name);
            json_put_decimal(out, fields[i].units, rules->tokens[t].decimals);
        }
        json_verdict(out, c->token[t]);
        json_put_close(out, '}');
    }
    json_put_close(out, ']');
}

void conserved_print(const struct conserved *c, const struct rules *rules)
{
    static const char *const words[] = {"NOT CONSERVED", "conserved", "busy, ask again"};
    printf("\n  %-8s %24s %22s %20s %20s %24s\n", "token", "available", "held", "fees", "in flight",
           "deposits less withdrawn");
    for (u32 t = 0; t < c->tokens; t++) {
        const struct ledger_sum *sum = &c->sum[t];
        u8 decimals = rules->tokens[t].decimals;
        printf("  %-8s %24s %22s %20s %20s %24s  %s\n", rules->tokens[t].symbol,
               cli_decimal(sum->available, decimals), cli_decimal(sum->frozen, decimals),
               cli_decimal(sum->fees, decimals), cli_decimal(sum->in_flight, decimals),
               cli_decimal(sum->deposits - sum->withdrawals + sum->shortfall, decimals),
               words[c->token[t]]);
    }
}
