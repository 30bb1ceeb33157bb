#include "tests/lib/engine.h"

#include <string.h>

const struct engine_sizes engine_small = {
    .accounts = 1024,
    .balances = 4096,
    .nonce_windows = 2048,
    .orders = 16384,
    .resting = 16384,
    .log_bytes = 4UL << 20,
};

static void *keep(struct engine *e, u64 bytes)
{
    void *p = aligned_alloc(4096, align_up(bytes, 4096));
    CHECK(p);
    memset(p, 0, align_up(bytes, 4096));
    e->memory[e->memory_count++] = p;
    return p;
}

static struct log *new_log(struct engine *e, u64 bytes)
{
    struct log *log = keep(e, log_footprint(bytes));
    log_new(log, bytes, 0);
    return log;
}

static void init_trading(struct engine *e, const struct engine_sizes *s)
{
    struct ledger_config c = {.accounts_max = s->accounts,
                              .balances_max = s->balances,
                              .nonce_windows_max = s->nonce_windows,
                              .transfers_max = 256};
    void *ledger = keep(e, ledger_footprint(&c));
    void *orders = keep(e, orders_footprint(s->orders));
    void *rules = keep(e, rules_footprint());
    ledger_new(ledger, &c);
    orders_new(orders, s->orders);
    rules_new(rules);
    e->trading = (struct trading){.ledger = ledger_join(ledger),
                                  .orders = orders_join(orders),
                                  .rules = rules_join(rules),
                                  .command = &e->command,
                                  .account = &e->account,
                                  .now_ns = 1};
}

static void init_matching(struct engine *e, const struct engine_sizes *s)
{
    struct books_config c = {
        .markets_max = MARKETS_MAX, .orders_max = s->resting, .slots_max = s->orders};
    void *books = keep(e, books_footprint(&c));
    void *rules = keep(e, rules_footprint());
    CHECK(books_new(books, &c));
    rules_new(rules);
    matching_init(&e->matching, 0, rules_join(rules), books_join(books), &e->match);
}

void engine_init(struct engine *e, const struct engine_sizes *sizes, trading_reply_fn *reply,
                 void *context)
{
    memset(e, 0, sizeof *e);
    struct log *command = new_log(e, sizes->log_bytes), *account = new_log(e, sizes->log_bytes);
    struct log *match = new_log(e, sizes->log_bytes);
    log_join_writer(&e->command, command);
    log_join_writer(&e->account, account);
    log_join_writer(&e->match, match);
    log_join_reader(&e->commands, command);
    log_join_reader(&e->matches, match);
    log_join_reader(&e->accounts, account);
    log_join_reader(&e->matched, match);
    init_trading(e, sizes);
    init_matching(e, sizes);
    e->trading.reply = reply;
    e->trading.reply_context = context;
}

void engine_free(struct engine *e)
{
    for (u32 i = 0; i < e->memory_count; i++) free(e->memory[i]);
}

/* Matching's turn. A sweep longer than a step is merged in between, as it would be live. */
static u32 match_all(struct engine *e)
{
    u32 work = 0;
    const struct rec *cmd;
    log_publish(&e->command);
    for (; (cmd = log_peek(&e->commands)); log_advance(&e->commands, cmd), work++) {
        bool done = matching_apply(&e->matching, cmd);
        for (; !done; done = matching_more(&e->matching)) {
            log_publish(&e->match);
            while (trading_merge(&e->trading, 0, &e->matches))
                ;
        }
        log_publish(&e->match);
    }
    return work;
}

void engine_start(struct engine *e, u64 epoch, u32 resting_max)
{
    struct cmd_start_2 c = {
        .was.head = {.kind = CMD_START, .version = 2, .length = sizeof c},
        .was.epoch = epoch,
        .resting_max = resting_max,
    };
    trading_config(&e->trading, &c.was.head);
}

void engine_settle(struct engine *e)
{
    u32 work;
    do {
        work = match_all(e);
        for (u32 n; (n = trading_merge(&e->trading, 0, &e->matches));) work += n;
        log_publish(&e->account);
    } while (work);
}

void engine_clock(struct engine *e, u64 now_ns)
{
    e->trading.now_ns = max_u64(e->trading.now_ns, now_ns);
    while (trading_expire(&e->trading))
        ;
    engine_settle(e);
}
