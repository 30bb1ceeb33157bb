#include "shm/topo.h"

#include <string.h>

#include "shm/book.h"
#include "shm/durable.h"
#include "shm/err.h"
#include "shm/guard.h"
#include "shm/limits.h"
#include "shm/log.h"
#include "shm/msg.h"
#include "shm/orders.h"
#include "shm/ring.h"
#include "shm/trace.h"

/* --- The table ---------------------------------------------------------------------------------
 */

/* Processes in the order of their index; of some there are several, as the parameters say. */
#define ONE(name) \
    { \
        name, false, 0 \
    }
#define MANY(name, many) \
    { \
        name, true, offsetof(struct topo_params, many) \
    }
static const struct role_row {
    const char *name;
    bool many;
    size_t count_at;
} roles[ROLE_COUNT] = {
    [ROLE_OPS] = ONE("ops"),
    [ROLE_JOURNAL] = ONE("journal"),
    [ROLE_TRADING] = ONE("trading"),
    [ROLE_MATCHING] = MANY("matching", matching),
    [ROLE_MARKET] = ONE("market"),
    [ROLE_HISTORY] = ONE("history"),
    [ROLE_SNAPSHOT] = ONE("snapshot"),
    [ROLE_VERIFY] = MANY("verify", verify),
    [ROLE_API] = MANY("api", api),
    [ROLE_TRADING_STANDBY] = ONE("standby.trading"),
    [ROLE_MATCHING_STANDBY] = MANY("standby.matching", matching),
    [ROLE_BRIDGE] = MANY("bridge", bridges),
};

#define OPS      (1U << ROLE_OPS)
#define JOURNAL  (1U << ROLE_JOURNAL)
#define TRADING  (1U << ROLE_TRADING)
#define MATCHING (1U << ROLE_MATCHING)
#define MARKET   (1U << ROLE_MARKET)
#define HISTORY  (1U << ROLE_HISTORY)
#define SNAPSHOT (1U << ROLE_SNAPSHOT)
#define VERIFY   (1U << ROLE_VERIFY)
#define API      (1U << ROLE_API)
#define ALL      ((1U << ROLE_COUNT) - 1)

/* Rings: each process of `from` has one to each process of `to`. */
static const struct ring_row {
    u32 from, to;
} rings[] = {
    {ROLE_API, ROLE_VERIFY},  {ROLE_VERIFY, ROLE_TRADING}, {ROLE_OPS, ROLE_TRADING},
    {ROLE_TRADING, ROLE_API}, {ROLE_TRADING, ROLE_OPS},
};

/* Everything else: each process of `owner` has one. Bits are roles. `gates` hold the writer back;
 * `sleepers` wait for the head to move: not those who act on a record only once it is durable,
 * or, like the journal on the derived logs, right after the commands it came from. `twin`: there
 * are two copies when the owner has a standby, "NAME" and "NAME.b". */
static const struct region_row {
    const char *name; /* "@i" is added where the owner is one of several */
    u32 kind, owner, readers, gates, sleepers;
    bool twin;
} regions[] = {
    {"proc", REGION_PROC, ROLE_COUNT, ALL, 0, 0, false}, /* one of every process */
    {"log.command", REGION_LOG, ROLE_TRADING, JOURNAL | MATCHING, JOURNAL | MATCHING,
     JOURNAL | MATCHING, false},
    {"log.account", REGION_LOG, ROLE_TRADING, JOURNAL | HISTORY | API, JOURNAL, 0, false},
    {"log.match", REGION_LOG, ROLE_MATCHING, JOURNAL | TRADING | MARKET | API, JOURNAL | TRADING,
     TRADING, false},
    {"ledger", REGION_LEDGER, ROLE_TRADING, API, 0, 0, true},
    {"orders", REGION_ORDERS, ROLE_TRADING, API, 0, 0, true},
    {"rules", REGION_RULES, ROLE_TRADING, OPS | API | VERIFY | MARKET, 0, 0, false},
    {"books", REGION_BOOKS, ROLE_MATCHING, 0, 0, 0, true},
    {"market", REGION_MARKET, ROLE_MARKET, API, 0, API, false},
    {"history", REGION_HISTORY, ROLE_HISTORY, API, 0, 0, false},
    {"durable", REGION_DURABLE, ROLE_JOURNAL,
     OPS | TRADING | MATCHING | MARKET | HISTORY | SNAPSHOT | API, 0, MARKET | API, false},
    {"exported", REGION_DURABLE, ROLE_BRIDGE, OPS | JOURNAL, 0, JOURNAL, false},
    {"trace.journal", REGION_TRACE, ROLE_JOURNAL, 0, 0, 0, false},
    {"trace.matching", REGION_TRACE, ROLE_MATCHING, 0, 0, 0, false},
    {"trace.verify", REGION_TRACE, ROLE_VERIFY, 0, 0, 0, false},
    {"trace.api", REGION_TRACE, ROLE_API, 0, 0, 0, false},
    {"guard", REGION_GUARD, ROLE_VERIFY, 0, 0, 0, false},
    {"limits", REGION_LIMITS, ROLE_API, API, 0, 0, false},
};

#define LEVELS_MAX    (1UL << 28) /* market.h */
#define LEVEL_CHANGES 1024U       /* kept per market, for readers that push them */

/* Ranges of the parameters. The sums that must fit as well are checked while expanding. */
#define PARAM(field, least, most, pow2) \
    { \
#field, offsetof(struct topo_params, field), sizeof(((struct topo_params *)0)->field), \
            least, most, pow2 \
    }
static const struct param_row {
    const char *name;
    size_t offset, size;
    u64 least, most;
    bool pow2;
} params_table[] = {
    PARAM(api, 1, 16, false),
    PARAM(verify, 1, 16, false),
    PARAM(matching, 1, PROC_LOGS_MAX - LOG_MATCH(0), false),
    PARAM(bridges, 0, 1, false),
    PARAM(standbys, 0, STANDBY_TRADING | STANDBY_MATCHING, false),
    PARAM(accounts_max, 1, 1UL << 28, false),
    PARAM(balances_max, 1, 1UL << 28, false),
    PARAM(nonce_windows_max, 1, 1UL << 28, false),
    PARAM(transfers_max, 1, 1UL << 28, false),
    PARAM(orders_max, 2, 1UL << 28, false),
    PARAM(resting_max, 1, BOOK_ORDERS_MAX, false),
    PARAM(command_bytes, 1UL << 20, 1UL << 40, true),
    PARAM(match_bytes, 1UL << 20, 1UL << 40, true),
    PARAM(account_bytes, 1UL << 20, 1UL << 40, true),
    PARAM(ring_bytes, 4 * MSG_BYTES_MAX, 1UL << 30, true),
    PARAM(recent_trades, 1, 1UL << 20, false),
    PARAM(markets_max, 1, MARKETS_MAX, false),
    PARAM(history_rows, 1, HISTORY_ROWS_MAX, false),
    PARAM(trace_entries, 0, 1UL << 24, false),
};

struct ledger_config topo_ledger_config(const struct topo_params *p)
{
    return (struct ledger_config){.accounts_max = (u32)p->accounts_max,
                                  .balances_max = (u32)p->balances_max,
                                  .nonce_windows_max = (u32)p->nonce_windows_max,
                                  .transfers_max = (u32)p->transfers_max};
}

struct books_config topo_books_config(const struct topo_params *p)
{
    return (struct books_config){.markets_max = MARKETS_MAX,
                                 .orders_max = (u32)p->resting_max,
                                 .slots_max = (u32)p->orders_max};
}

struct market_config topo_market_config(const struct topo_params *p)
{
    struct market_config c = {.markets_max = (u32)p->markets_max,
                              .levels_max = (u32)min_u64(p->resting_max * p->matching, LEVELS_MAX),
                              .recent_trades = (u32)p->recent_trades,
                              .changes_max = LEVEL_CHANGES};
    memcpy(c.candles, p->candles, sizeof c.candles);
    return c;
}

struct history_config topo_history_config(const struct topo_params *p)
{
    return (struct history_config){.accounts_max = (u32)p->accounts_max,
                                   .rows = (u32)p->history_rows};
}

/* Bytes of the object in a region; 0 = impossible. */
static u64 object_bytes(const struct topo_params *p, u32 kind, u32 log)
{
    struct ledger_config ledger = topo_ledger_config(p);
    struct books_config books = topo_books_config(p);
    struct market_config market = topo_market_config(p);
    struct history_config history = topo_history_config(p);
    switch (kind) {
    case REGION_PROC: return proc_footprint();
    case REGION_RING: return ring_footprint(p->ring_bytes);
    case REGION_LOG:
        return log_footprint(log == LOG_COMMAND   ? p->command_bytes
                             : log == LOG_ACCOUNT ? p->account_bytes
                                                  : p->match_bytes);
    case REGION_LEDGER: return ledger_footprint(&ledger);
    case REGION_ORDERS: return orders_footprint(p->orders_max);
    case REGION_RULES: return rules_footprint();
    case REGION_BOOKS: return books_footprint(&books);
    case REGION_MARKET: return market_footprint(&market);
    case REGION_HISTORY: return history_footprint(&history);
    case REGION_DURABLE: return durable_footprint();
    case REGION_TRACE: return trace_footprint(p->trace_entries);
    case REGION_GUARD: return guard_footprint(GUARD_SLOTS);
    case REGION_LIMITS: return limits_footprint();
    default: return 0;
    }
}

/* --- Its expansion -----------------------------------------------------------------------------
 */

const char *role_name(u32 role)
{
    return role < ROLE_COUNT ? roles[role].name : "onlooker";
}

u32 role_of_standby(u32 role)
{
    if (role == ROLE_TRADING_STANDBY) return ROLE_TRADING;
    return role == ROLE_MATCHING_STANDBY ? ROLE_MATCHING : role;
}

/* Has this role a standby? */
static bool has_standby(const struct topo *t, u32 role)
{
    if (role == ROLE_TRADING) return t->params.standbys & STANDBY_TRADING;
    return role == ROLE_MATCHING && t->params.standbys & STANDBY_MATCHING;
}

static u32 role_count(const struct topo *t, u32 role)
{
    u32 n = 1;
    if (role_is_standby(role) && !has_standby(t, role_of_standby(role))) return 0;
    if (roles[role].many) memcpy(&n, (const u8 *)&t->params + roles[role].count_at, sizeof n);
    return n;
}

int topo_proc(const struct topo *t, u32 role, u32 instance)
{
    for (u32 i = 0; i < t->proc_count; i++)
        if (t->procs[i].role == role && t->procs[i].instance == instance) return (int)i;
    return -1;
}

int topo_region(const struct topo *t, const char *name)
{
    for (u32 i = 0; i < t->region_count; i++)
        if (strcmp(t->regions[i].name, name) == 0) return (int)i;
    return -1;
}

int topo_ring(const struct topo *t, u32 from_role, u32 from, u32 to_role, u32 to)
{
    int producer = topo_proc(t, from_role, from), consumer = topo_proc(t, to_role, to);
    for (u32 i = 0; producer >= 0 && consumer >= 0 && i < t->region_count; i++)
        if (t->regions[i].kind == REGION_RING && t->regions[i].owner == (u32)producer &&
            t->regions[i].consumer == (u32)consumer)
            return (int)i;
    return -1;
}

/* Bits of the processes whose roles are in `mask`. */
static u64 procs_of(const struct topo *t, u32 mask)
{
    u64 bits = 0;
    for (u32 i = 0; i < t->proc_count; i++)
        if (mask >> t->procs[i].role & 1) bits |= 1UL << i;
    return bits;
}

static int check_params(const struct topo_params *p)
{
    for (u32 i = 0; i < COUNT_OF(params_table); i++) {
        const struct param_row *row = &params_table[i];
        u64 value = 0;
        memcpy(&value, (const u8 *)p + row->offset, row->size);
        if (value < row->least || value > row->most)
            return err_set("%s = %lu is out of range; allowed: %lu to %lu", row->name, value,
                           row->least, row->most);
        if (row->pow2 && !is_pow2(value))
            return err_set("%s = %lu is not a power of two", row->name, value);
    }
    return 0;
}

static int add_procs(struct topo *t)
{
    for (u32 role = 0; role < ROLE_COUNT; role++)
        for (u32 i = 0; i < role_count(t, role); i++) {
            if (t->proc_count == TOPO_PROCS_MAX)
                return err_set("more than %d processes: less workers, or no standbys",
                               TOPO_PROCS_MAX);
            struct topo_proc *p = &t->procs[t->proc_count++];
            *p = (struct topo_proc){.role = role, .instance = i};
            if (roles[role].many) snprintf(p->name, sizeof p->name, "%s@%u", role_name(role), i);
            else snprintf(p->name, sizeof p->name, "%s", role_name(role));
        }
    return 0;
}

/* Append a region; its object and size follow from its kind. */
static int add_region(struct topo *t, const struct topo_region *region)
{
    CHECK(t->region_count < TOPO_REGIONS_MAX);
    struct topo_region *r = &t->regions[t->region_count++];
    *r = *region;
    r->object_bytes = object_bytes(&t->params, r->kind, r->log);
    r->arena = region_bytes(r->object_bytes, false) >= HUGE_PAGE;
    return r->object_bytes ? 0 : err_set("%s: its size is impossible with these numbers", r->name);
}

static int add_twins(struct topo *t, const struct topo_region *region)
{
    struct topo_region r = *region;
    r.twin = t->region_count + 1;
    if (add_region(t, &r)) return -1;
    r.twin = t->region_count - 1;
    size_t length = strlen(r.name);
    CHECK(length + sizeof ".b" <= sizeof r.name);
    memcpy(r.name + length, ".b", sizeof ".b");
    return add_region(t, &r);
}

static int add_row(struct topo *t, const struct region_row *row, u32 proc)
{
    const struct topo_proc *owner = &t->procs[proc];
    struct topo_region r = {
        .kind = row->kind,
        .owner = proc,
        .consumer = NO_INSTANCE,
        .log = NO_INSTANCE,
        .twin = NO_INSTANCE,
        .readers = procs_of(t, row->readers) & ~(1UL << proc),
        .gates = procs_of(t, row->gates),
        .sleepers = procs_of(t, row->sleepers),
    };
    if (row->owner == ROLE_COUNT) snprintf(r.name, sizeof r.name, "%s.%s", row->name, owner->name);
    else if (roles[row->owner].many)
        snprintf(r.name, sizeof r.name, "%s@%u", row->name, owner->instance);
    else snprintf(r.name, sizeof r.name, "%s", row->name);
    if (row->twin && has_standby(t, owner->role)) return add_twins(t, &r);
    if (row->kind == REGION_LOG)
        r.log = owner->role == ROLE_MATCHING            ? LOG_MATCH(owner->instance)
                : strcmp(row->name, "log.command") == 0 ? LOG_COMMAND
                                                        : LOG_ACCOUNT;
    return add_region(t, &r);
}

static int add_ring(struct topo *t, u32 from, u32 to)
{
    struct topo_region r = {
        .kind = REGION_RING,
        .owner = from,
        .consumer = to,
        .log = NO_INSTANCE,
        .twin = NO_INSTANCE,
        .readers = 1UL << to,
        .sleepers = 1UL << to,
    };
    for (u32 i = 0; i < t->region_count; i++) r.input += t->regions[i].consumer == to;
    CHECK(r.input < PROC_RINGS_MAX);
    snprintf(r.name, sizeof r.name, "ring.%s.%s", t->procs[from].name, t->procs[to].name);
    return add_region(t, &r);
}

int topo_build(struct topo *t, const struct topo_params *params)
{
    memset(t, 0, sizeof *t);
    t->params = *params;
    if (check_params(params) || add_procs(t)) return -1;
    for (u32 i = 0; i < COUNT_OF(regions); i++)
        for (u32 p = 0; p < t->proc_count; p++)
            if (regions[i].owner == ROLE_COUNT || regions[i].owner == t->procs[p].role)
                if (add_row(t, &regions[i], p)) return -1;
    for (u32 i = 0; i < COUNT_OF(rings); i++)
        for (u32 from = 0; from < t->proc_count; from++)
            for (u32 to = 0; to < t->proc_count; to++)
                if (t->procs[from].role == rings[i].from && t->procs[to].role == rings[i].to)
                    if (add_ring(t, from, to)) return -1;
    return 0;
}

u64 topo_hash(const struct topo *t)
{
    u64 hash = region_hash(t->procs, sizeof t->procs[0] * t->proc_count);
    for (u32 i = 0; i < t->region_count; i++) {
        const struct topo_region *r = &t->regions[i];
        u64 words[] = {hash,     region_hash(r->name, strlen(r->name)),
                       r->kind,  r->owner,
                       r->input, r->log,
                       r->gates, r->readers,
                       r->twin,  r->object_bytes};
        hash = region_hash(words, sizeof words);
    }
    return hash;
}

enum topo_access topo_access(const struct topo *t, u32 region, int proc)
{
    const struct topo_region *r = &t->regions[region];
    if (proc < 0) return TOPO_READ;
    if (r->owner == (u32)proc) return r->twin == NO_INSTANCE ? TOPO_WRITE : TOPO_TWIN;
    const struct topo_proc *p = &t->procs[proc];
    if (role_is_standby(p->role)) {
        int primary = topo_proc(t, role_of_standby(p->role), p->instance);
        enum topo_access right = topo_access(t, region, primary);
        return right == TOPO_WRITE ? TOPO_LATER : right;
    }
    return r->readers >> proc & 1 ? TOPO_READ : TOPO_NONE;
}
