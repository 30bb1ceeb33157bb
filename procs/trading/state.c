#include <string.h>

#include "procs/lib/config_markets.h"
#include "procs/lib/recover.h"
#include "procs/trading/process.h"
#include "shm/err.h"
#include "version.h"

void state_log_start(struct process *p, const struct run *run)
{
    struct cmd_start_2 c2 = {.resting_max = (u32)run->segment.topo.params.resting_max};
    struct cmd_start *c = &c2.was;
    c->head = (struct rec){.kind = CMD_START, .version = 2, .length = sizeof c2};
    /* The first record of a segment says so, even if whoever came first did not live to publish. */
    u64 epoch = atomic_load_explicit(&run->proc->epoch, memory_order_relaxed);
    c->epoch = p->command.head ? epoch : 1;
    c->journaled = p->command.seq;
    snprintf(c->build, sizeof c->build, "%s %s", EIDOS_VERSION, EIDOS_COMMIT);
    trading_config(&p->machine, &c->head);
}

static void log_token(struct process *p, u16 index, const struct token_conf *conf)
{
    struct cmd_token c = {.head = {.kind = CMD_TOKEN, .length = sizeof c}, .token = index};
    c.decimals = conf->decimals;
    c.version = 1;
    memcpy(c.symbol, conf->symbol, sizeof c.symbol);
    trading_config(&p->machine, &c.head);
}

static void market_record(struct cmd_market *c, u16 index, const struct market_conf *conf)
{
    *c = (struct cmd_market){.head = {.kind = CMD_MARKET, .length = sizeof *c}, .market = index};
    c->base = conf->base;
    c->quote = conf->quote;
    c->matching = conf->matching;
    c->maker_rate = conf->maker_rate;
    c->taker_rate = conf->taker_rate;
    c->tick_wad = conf->tick_wad;
    c->lot_wad = conf->lot_wad;
    c->lot_units = conf->lot_units;
    c->tick_lot = conf->tick_lot;
    c->price_max = conf->price_max;
    c->lots_min = conf->lots_min;
    c->lots_max = conf->lots_max;
    c->notional_min = conf->notional_min;
    c->notional_max = conf->notional_max;
    c->version = 1;
    c->mode = conf->mode;
    c->price_decimals = conf->price_decimals;
    c->amount_decimals = conf->amount_decimals;
    memcpy(c->symbol, conf->symbol, sizeof c->symbol);
}

static void log_limits(struct process *p, const struct config *config)
{
    struct cmd_limits c = {.head = {.kind = CMD_LIMITS, .length = sizeof c}, .version = 1};
    c.open_orders = config->limits.open_orders_per_market;
    c.resting_orders = config->limits.resting_orders_per_market;
    c.expiry_max_ns = config->limits.expiry_days_max * 86400UL * 1000000000;
    trading_config(&p->machine, &c.head);
}

/* Power may fail in the middle of the very first write: as long as nobody has an account, what is
 * missing is still to come. Markets are the last to be logged. */
static bool is_new_exchange(const struct process *p, const struct markets_conf *conf)
{
    const struct trading *t = &p->machine;
    if (p->command.seq == 0) return true;
    return !t->ledger->account_count && t->rules->market_count < conf->markets;
}

/* Files seed a new exchange; ever after the log says what holds. */
static int genesis(struct run *run, struct process *p, const struct markets_conf *conf)
{
    const struct rules *r = p->machine.rules;
    log_limits(p, &run->config);
    for (u16 i = (u16)r->token_count; i < conf->tokens; i++) log_token(p, i, &conf->token[i]);
    for (u16 i = (u16)r->market_count; i < conf->markets; i++) {
        struct cmd_market c;
        market_record(&c, i, &conf->market[i]);
        if (rules_check_market(p->machine.rules, &c)) return -1;
        trading_config(&p->machine, &c.head);
    }
    text_log(TEXT_INFO, "a new exchange: %u tokens and %u markets from the configuration",
             conf->tokens, conf->markets);
    return 0;
}

/* What is beyond all money there can be limits nothing. */
static u64 in_units(u64 whole, u64 unit)
{
    return whole > BALANCE_MAX / unit ? BALANCE_MAX : whole * unit;
}

/* A log that says nothing of withdrawals gets what the files say. */
static void seed_withdraw_limits(struct process *p, const struct config *config,
                                 const struct markets_conf *conf)
{
    const struct rules *r = p->machine.rules;
    struct cmd_withdraw_limits c = {.head = {.kind = CMD_WITHDRAW_LIMITS, .length = sizeof c}};
    if (r->withdraw.version || !r->market_count) return;
    c.token = r->markets[0].quote;
    u64 unit = 1;
    for (u8 i = 0; i < r->tokens[c.token].decimals; i++) unit *= 10;
    c.single = in_units(config->limits.withdraw_single, unit);
    c.daily = in_units(config->limits.withdraw_daily, unit);
    c.per_hour = config->limits.withdraw_per_hour;
    c.per_day = config->limits.withdraw_per_day;
    c.version = 1;
    for (u32 i = 0; i < conf->tokens; i++) {
        const struct token_conf *t = &conf->token[i];
        u16 at = rules_find_token(r, t->symbol, strnlen(t->symbol, sizeof t->symbol));
        if (at != NO_TOKEN) c.least[at] = t->withdraw_least;
    }
    trading_config(&p->machine, &c.head);
}

/* A file that says something else than the log changes nothing; say so. */
static void report_differences(const struct process *p, const struct markets_conf *conf)
{
    const struct rules *r = p->machine.rules;
    for (u16 i = 0; i < conf->markets; i++) {
        const struct market_conf *c = &conf->market[i];
        u16 at = rules_find_market(r, c->symbol, strnlen(c->symbol, sizeof c->symbol));
        const struct market *m = at == NO_MARKET ? NULL : &r->markets[at];
        bool same = m && m->maker_rate == c->maker_rate && m->taker_rate == c->taker_rate &&
                    m->tick_wad == c->tick_wad && m->lot_wad == c->lot_wad &&
                    m->lots_min == c->lots_min && m->lots_max == c->lots_max &&
                    m->notional_min == c->notional_min && m->notional_max == c->notional_max &&
                    m->price_max == c->price_max;
        if (!same)
            text_log(TEXT_WARN,
                     "market %s in the configuration differs from what the command log says; the "
                     "log holds",
                     c->symbol);
    }
}

static void *rebuild(struct run *run, const char *name)
{
    struct region *r = segment_region(&run->segment, name);
    region_rebuild(r);
    return r->object;
}

void state_format(struct run *run, struct process *p, void *rules)
{
    const struct topo_params *params = &run->segment.topo.params;
    struct ledger_config c = topo_ledger_config(params);
    void *ledger = rebuild(run, "ledger"), *orders = rebuild(run, "orders");
    ledger_new(ledger, &c);
    orders_new(orders, params->orders_max);
    rules_new(rules);
    p->machine.ledger = ledger_join(ledger);
    p->machine.orders = orders_join(orders);
    p->machine.rules = rules_join(rules);
}

void state_show(struct run *run)
{
    static const char *const names[] = {"ledger", "orders", "rules"};
    for (u32 i = 0; i < COUNT_OF(names); i++) region_ready(segment_region(&run->segment, names[i]));
    segment_show_copy(&run->segment);
}

void state_join(struct run *run, struct process *p)
{
    const struct segment *s = &run->segment;
    segment_log_writer(s, "log.command", run->bells, &p->command);
    segment_log_writer(s, "log.account", run->bells, &p->account);
    p->durable = segment_object(s, "durable");
    p->machine.command = &p->command;
    p->machine.account = &p->account;
    p->verify_count = (u16)s->topo.params.verify;
    p->matching_count = (u16)s->topo.params.matching;
    /* The smallest match record takes 64 bytes, and MERGE_MAX of them one CMD_MERGE. */
    p->merge_reserve = p->matching_count * (s->topo.params.match_bytes / 64 / MERGE_MAX + 1) *
                       sizeof(struct cmd_merge);
    for (u32 i = 0; i < p->verify_count; i++) segment_ring_rx(s, ROLE_VERIFY, i, &p->ingress[i]);
    segment_ring_rx(s, ROLE_OPS, 0, &p->ingress[SOURCE_OPS]);
    for (u32 i = 0; i < p->matching_count; i++) {
        char name[REGION_NAME_BYTES];
        snprintf(name, sizeof name, "log.match@%u", i);
        segment_log_reader(s, name, &p->matches[i]);
    }
}

/* What the log says was consumed is consumed, even if the ring's tail was not yet moved. */
void state_skip_consumed(struct process *p)
{
    for (u16 i = 0; i < SOURCES; i++) {
        struct ring_rx *rx = &p->ingress[i];
        if (rx->ring) ring_skip_to(rx, p->machine.ledger->ingress[i]);
    }
}

int state_open(struct run *run, struct process *p)
{
    static struct markets_conf conf;
    if (config_markets_load(&conf, &run->source, run->segment.topo.params.matching)) return -1;
    state_join(run, p);
    state_format(run, p, rebuild(run, "rules"));
    if (recover_trading(run, &p->machine, p->matches)) return err_wrap("recovering");
    u64 seq = p->command.seq; /* recovered through */
    state_skip_consumed(p);
    bool new_exchange = is_new_exchange(p, &conf);
    state_log_start(p, run);
    if (new_exchange && genesis(run, p, &conf)) return -1;
    seed_withdraw_limits(p, &run->config, &conf);
    report_differences(p, &conf);
    mark_begin(&p->machine.mark, &p->account, seq);
    state_show(run);
    return 0;
}
