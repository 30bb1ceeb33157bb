#include "procs/lib/replica.h"

#include "shm/err.h"
#include "shm/trading_ahead.h"
#include "shm/words.h"

#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>

#define LOG_BYTES (1UL << 20) /* of a private log: one step is far less */
_Static_assert(LOG_BYTES > 2 * MATCHING_STEP_BYTES, "a step of matching fits");

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

/* From the host's pool, if it has as many free: without MAP_NORESERVE they are then ours. */
static void *map_pool(u64 bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
}

static void *map_plain(u64 bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_NORESERVE, -1, 0);
    /* A kernel that has no huge pages to give is asked in vain, and nothing is lost. */
    if (p != MAP_FAILED && bytes >= HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

/* Zeroed memory, touched only as it is used, on huge pages where there are any: less time in page
 * faults and, at random access, in page tables. */
static void *keep(struct replica *r, u64 bytes)
{
    void *p = MAP_FAILED;
    CHECK(r->memory_count < COUNT_OF(r->memory));
    if (!bytes) return NULL;
    if (bytes >= HUGE_PAGE) bytes = align_up(bytes, HUGE_PAGE);
    if (r->config.pool && bytes >= HUGE_PAGE) p = map_pool(bytes);
    if (p == MAP_FAILED) p = map_plain(bytes);
    if (p == MAP_FAILED) return NULL;
    r->memory_bytes[r->memory_count] = bytes;
    return r->memory[r->memory_count++] = p;
}

static struct log *new_log(struct replica *r)
{
    struct log *log = keep(r, log_footprint(LOG_BYTES));
    if (log) log_new(log, LOG_BYTES, 0);
    return log;
}

static struct rules *new_rules(struct replica *r)
{
    void *memory = keep(r, rules_footprint());
    if (!memory) return NULL;
    rules_new(memory);
    return rules_join(memory);
}

static int open_trading(struct replica *r)
{
    const struct replica_config *c = &r->config;
    struct trading *t = &r->trading;
    struct ledger_config ledger = topo_ledger_config(c->params);
    struct log *account = new_log(r);
    *t = (struct trading){.ledger = c->ledger, .orders = c->orders, .rules = c->rules};
    if (!t->ledger) {
        void *memory = keep(r, ledger_footprint(&ledger));
        if (!memory) return -1;
        ledger_new(memory, &ledger);
        t->ledger = ledger_join(memory);
    }
    if (!t->orders) {
        void *memory = keep(r, orders_footprint(c->params->orders_max));
        if (!memory) return -1;
        orders_new(memory, c->params->orders_max);
        t->orders = orders_join(memory);
    }
    if (!t->rules) t->rules = new_rules(r);
    if (!account || !t->rules) return -1;
    log_join_writer(&r->account, account);
    log_join_reader(&r->made, account);
    t->account = &r->account;
    r->rules = t->rules;
    return 0;
}

static int open_matching(struct replica *r, u32 i)
{
    const struct replica_config *c = &r->config;
    struct replica_matching *m = &r->matching[i];
    bool given = i == c->matching_first;
    struct books_config config = topo_books_config(c->params);
    struct books *books = given ? c->books : NULL;
    struct rules *rules = given ? c->matching_rules : NULL;
    struct log *log = new_log(r);
    if (!books) {
        void *memory = keep(r, books_footprint(&config));
        if (!memory || !books_new(memory, &config)) return -1;
        books = books_join(memory);
    }
    if (!rules) rules = new_rules(r);
    m->slots = config.slots_max;
    m->machine = keep(r, sizeof *m->machine);
    if (!log || !rules || !m->machine) return -1;
    log_join_writer(&m->log, log);
    log_join_reader(&m->made, log);
    matching_init(m->machine, (u16)i, rules, books, &m->log);
    if (!r->rules) r->rules = rules;
    return 0;
}

static int open_market(struct replica *r)
{
    struct market_config config = topo_market_config(r->config.params);
    r->market = r->config.market_data;
    if (r->market) return 0;
    void *memory = keep(r, market_footprint(&config));
    if (!memory || !market_new(memory, &config)) return -1;
    r->market = market_join(memory);
    return r->market ? 0 : -1;
}

int replica_open(struct replica *r, const struct replica_config *config)
{
    *r = (struct replica){.config = *config};
    CHECK(config->matching_first + config->matching_count <= SNAPSHOT_MATCHING_MAX);
    int rc = config->trading ? open_trading(r) : 0;
    for (u32 i = 0; !rc && i < config->matching_count; i++)
        rc = open_matching(r, config->matching_first + i);
    if (!rc && config->market) rc = open_market(r);
    r->config.params = NULL;
    if (!rc) return 0;
    replica_close(r);
    return err_sys("reserving memory for a replica of the exchange; its size follows from "
                   "trading.accounts_max, trading.orders_max and matching.orders_max");
}

void replica_close(struct replica *r)
{
    for (u32 i = 0; i < r->memory_count; i++) munmap(r->memory[i], r->memory_bytes[i]);
    for (u32 i = 0; i < SNAPSHOT_MATCHING_MAX; i++) free(r->matching[i].queue);
    *r = (struct replica){0};
}

/* --- The queue ---------------------------------------------------------------------------------
 */

void replica_queue(struct replica *r, u32 matching, const struct rec *rec)
{
    struct replica_matching *m = &r->matching[matching];
    if (m->end + rec->length > m->room && m->begin > m->room / 2) {
        memmove(m->queue, m->queue + m->begin, m->end - m->begin);
        m->end -= m->begin;
        m->told -= min_u64(m->told, m->begin);
        m->begin = 0;
    }
    if (m->end + rec->length > m->room) {
        m->room = max_u64(2 * m->room, LOG_BYTES);
        m->queue = realloc(m->queue, m->room);
        CHECK(m->queue);
    }
    words_put(m->queue + m->end, rec, rec->length); /* in the words it was just stored in */
    m->end += rec->length;
    m->queued = rec->seq;
}

static const struct rec *at_offset(const struct replica_matching *m, u64 offset)
{
    return offset < m->end ? (const struct rec *)(const void *)(m->queue + offset) : NULL;
}

const struct rec *replica_unmerged(const struct replica *r, u32 matching)
{
    return at_offset(&r->matching[matching], r->matching[matching].begin);
}

const struct rec *replica_unmerged_next(const struct replica *r, u32 matching,
                                        const struct rec *rec)
{
    const struct replica_matching *m = &r->matching[matching];
    return at_offset(m, (u64)((const u8 *)rec - m->queue) + rec->length);
}

/* --- Applying ----------------------------------------------------------------------------------
 */

#define MERGE_AHEAD  8U  /* records between two stages of a hint */
#define STEP_RECORDS 16U /* account records of one command or match record, at most */

void replica_trade_ahead(const struct replica *r, const struct rec *cmd, u32 stage)
{
    if (r->config.trading) trading_ahead(&r->trading, cmd, stage);
}

void replica_merge_ahead(const struct replica *r, const struct rec *match, u32 stage)
{
    if (r->config.trading && stage < TRADING_AHEAD_MATCH_STAGES)
        trading_ahead_match(&r->trading, match, stage);
}

/* Tell the rest of what was queued but for the last `but` records. */
static void tell_rest(const struct replica *r, struct replica_matching *m, u32 but)
{
    for (; m->untold > but; m->untold--) {
        const struct rec *rec = (const struct rec *)(const void *)(m->queue + m->told);
        replica_merge_ahead(r, rec, 1);
        m->told += rec->length;
    }
}

static void queue_and_tell(struct replica *r, u32 i, const struct rec *rec)
{
    struct replica_matching *m = &r->matching[i];
    replica_queue(r, i, rec);
    replica_merge_ahead(r, rec, 0);
    if (!m->untold++) m->told = m->end - rec->length;
    tell_rest(r, m, MERGE_AHEAD);
}

bool replica_is_told(const struct replica *r, u64 seq)
{
    const struct replica_config *c = &r->config;
    for (u32 i = 0; i < c->matching_count; i++)
        if (r->matching[c->matching_first + i].machine->told < seq) return false;
    return true;
}

void replica_match_ahead(struct replica *r, const struct rec *const *cmds, u32 count)
{
    for (u32 i = 0; i < r->config.matching_count; i++) {
        struct matching *m = r->matching[r->config.matching_first + i].machine;
        if (m->told < cmds[0]->seq) matching_ahead(m, cmds, count);
    }
}

/* Account records that nobody wants are only numbered. A step makes a few at most. */
static void skip_unwanted(struct replica *r)
{
    r->account.discard = !r->config.sink || r->account.seq + STEP_RECORDS < r->config.account_after;
}

/* Match records that only this replica reads need no checksum. */
static void skip_matches(struct replica *r, u32 i)
{
    struct log_writer *w = &r->matching[i].log;
    w->bare = !r->config.sink || w->seq + MATCHING_EVENTS + 1 < r->config.match_after[i];
}

static int take_account(struct replica *r)
{
    const struct rec *rec;
    if (r->account.discard) return 0;
    log_publish(&r->account);
    for (; (rec = log_peek(&r->made)); log_advance(&r->made, rec))
        if (r->config.sink(r->config.context, LOG_ACCOUNT, rec)) return -1;
    log_rewind(&r->account, &r->made);
    return 0;
}

static bool for_want_of_room(const struct rec *rec)
{
    const struct match_order *e = (const void *)rec;
    return (rec->kind == MATCH_REJECTED && e->code == BOOK_CODE_CAPACITY) ||
           (rec->kind == MATCH_CANCELED && e->reason == REASON_CAPACITY);
}

/* An order was turned away: by the number that the log says, or by an arena that is smaller. Logs
 * from before START said a number leave the judgement to `refused`. */
static int check_room(struct replica *r, u32 i, const struct rec *rec)
{
    const struct matching *m = r->matching[i].machine;
    struct books_use use = books_use(m->books);
    if (!m->rules->resting_max)
        return r->config.refused ? r->config.refused(r->config.context, LOG_MATCH(i), rec) : 0;
    if (use.orders >= use.orders_limit || use.orders < use.orders_max) return 0;
    return err_set("matching.orders_max is too small for what the journal holds: command %lu finds "
                   "%u orders resting, and by its log there was room for %u; raise it",
                   rec->cause, use.orders, use.orders_limit);
}

static int take_matches(struct replica *r, u32 i)
{
    struct replica_matching *m = &r->matching[i];
    const struct rec *rec;
    bool wanted = !m->log.bare;
    log_publish(&m->log);
    for (; (rec = log_peek(&m->made)); log_advance(&m->made, rec)) {
        if (UNLIKELY(for_want_of_room(rec)) && check_room(r, i, rec)) return -1;
        if (r->forward) {
            if (r->forward(r->forward_context, i, rec)) return -1;
        } else {
            queue_and_tell(r, i, rec);
            if (r->market && market_apply(r->market, (u16)i, rec)) return -1;
        }
        if (wanted && r->config.sink(r->config.context, LOG_MATCH(i), rec)) return -1;
    }
    log_rewind(&m->log, &m->made);
    return 0;
}

static int does_not_fit(const char *option, const struct rec *cmd)
{
    return err_set("%s is too small for what the journal holds: command %lu does not fit; raise it",
                   option, cmd->seq);
}

static int match(struct replica *r, u32 i, const struct rec *cmd)
{
    struct replica_matching *m = &r->matching[i];
    const struct cmd_order *order = (const void *)cmd;
    bool done;
    int rc;
    if (UNLIKELY(cmd->kind == CMD_ORDER && (u32)order->order_id >= m->slots))
        return does_not_fit("trading.orders_max", cmd); /* else the book would refuse it */
    skip_matches(r, i);
    done = matching_apply(m->machine, cmd);
    rc = take_matches(r, i);
    while (!rc && !done) {
        skip_matches(r, i);
        done = matching_more(m->machine);
        rc = take_matches(r, i);
    }
    return rc;
}

static int merge(struct replica *r, const struct cmd_merge *cmd)
{
    u32 i = cmd->matching;
    const struct replica_config *c = &r->config;
    if (c->trading && i >= c->matching_count)
        return err_set("command %lu merges matching process %u, and there are %u of them; "
                       "matching.workers must not shrink",
                       cmd->head.seq, i, c->matching_count);
    if (i < c->matching_first || i >= c->matching_first + c->matching_count) return 0;
    struct replica_matching *m = &r->matching[i];
    const struct rec *rec;
    tell_rest(r, m, 0);
    while ((rec = replica_unmerged(r, i)) && rec->seq <= cmd->through) {
        if (c->trading) {
            skip_unwanted(r);
            trading_apply_match(&r->trading, rec, &cmd->head);
            if (c->sink && take_account(r)) return -1;
        }
        m->begin += rec->length;
    }
    if (m->begin == m->end) m->begin = m->end = 0;
    if (m->queued >= cmd->through) return 0;
    return err_set("command %lu merges match record %lu of process %u, but replay made only %lu: "
                   "the log was written by a build that decides differently",
                   cmd->head.seq, cmd->through, i, m->queued);
}

static int open_in_market(struct replica *r, const struct cmd_market *c)
{
    return r->market ? market_add(r->market, c->market, c->matching, c->tick_lot) : 0;
}

int replica_take(struct replica *r, u32 matching, const struct rec *rec)
{
    replica_queue(r, matching, rec);
    return r->market ? market_apply(r->market, (u16)matching, rec) : 0;
}

int replica_match(struct replica *r, const struct rec *cmd)
{
    const struct replica_config *c = &r->config;
    const void *body = cmd;
    if (cmd->kind == CMD_MARKET && !r->forward && open_in_market(r, body)) return -1;
    for (u32 i = 0; i < c->matching_count; i++)
        if (match(r, c->matching_first + i, cmd)) return -1;
    return 0;
}

int replica_trade(struct replica *r, const struct rec *cmd)
{
    const void *body = cmd;
    if (cmd->seq != r->seq + 1)
        return err_set("command %lu came where %lu was expected", cmd->seq, r->seq + 1);
    if (r->config.trading) {
        const char *option = trading_lacks(&r->trading, cmd);
        if (UNLIKELY(option)) return does_not_fit(option, cmd);
        skip_unwanted(r);
        trading_apply(&r->trading, cmd);
        if (r->config.sink && take_account(r)) return -1;
    }
    if (cmd->kind == CMD_MARKET && r->forward && open_in_market(r, body)) return -1;
    if (cmd->kind == CMD_MERGE && merge(r, body)) return -1;
    r->seq = cmd->seq;
    r->time_ns = cmd->time_ns;
    return 0;
}

/* What a command makes in a book is merged by a later one. */
int replica_apply(struct replica *r, const struct rec *cmd)
{
    return replica_match(r, cmd) ? -1 : replica_trade(r, cmd);
}

void replica_leave_levels(struct replica *r)
{
    if (r->market) market_leave_levels(r->market);
}

/* Put the levels of one side of a book into market data. */
static int fill_side(struct market_data *m, const struct books *b, u32 market, u8 side)
{
    struct book_order o, level = {0};
    u32 orders = 0;
    for (u32 c = book_first(b, market, side); c; c = book_next(b, c)) {
        book_at(b, c, &o);
        if (orders && o.price != level.price) {
            if (market_add_level(m, market, side, level.price, level.lots, orders)) return -1;
            orders = 0;
        }
        o.lots += orders++ ? level.lots : 0;
        level = o;
    }
    return orders ? market_add_level(m, market, side, level.price, level.lots, orders) : 0;
}

int replica_keep_levels(struct replica *r)
{
    for (u32 i = 0; r->market && i < r->rules->market_count; i++) {
        const struct books *b = r->matching[r->rules->markets[i].matching].machine->books;
        if (fill_side(r->market, b, i, SIDE_BUY) || fill_side(r->market, b, i, SIDE_SELL))
            return err_wrap("the levels of the books");
    }
    if (r->market) market_keep_levels(r->market);
    return 0;
}

static u64 mix(u64 h, u64 value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15UL;
    return h ^ h >> 32;
}

void replica_sums(const struct replica *r, struct replica_sums *sums)
{
    const struct replica_config *c = &r->config;
    memset(sums, 0, sizeof *sums);
    if (c->trading) sums->trading = trading_checksum(&r->trading);
    for (u32 i = 0; i < c->matching_count && !c->no_books; i++) {
        const struct matching *m = r->matching[c->matching_first + i].machine;
        for (u32 market = 0; market < r->rules->market_count; market++)
            if (r->rules->markets[market].matching == m->self)
                sums->book[market] = book_checksum(m->books, market);
    }
}

void replica_info_from(const struct replica *r, const struct replica_sums *sums,
                       struct snapshot_info *info)
{
    const struct replica_config *c = &r->config;
    *info =
        (struct snapshot_info){.seq = r->seq, .time_ns = r->time_ns, .account_seq = r->account.seq};
    info->matchings = c->matching_first + c->matching_count;
    for (u32 i = 0; i < c->matching_count; i++) {
        const struct replica_matching *m = &r->matching[c->matching_first + i];
        info->match_seq[c->matching_first + i] = m->log.seq;
        info->checksum = mix(info->checksum, m->log.seq);
        for (u32 market = 0; market < r->rules->market_count; market++)
            if (r->rules->markets[market].matching == m->machine->self)
                info->checksum = mix(info->checksum, sums->book[market]);
    }
    info->checksum = mix(info->checksum, r->account.seq);
    if (c->trading) info->checksum = mix(info->checksum, sums->trading);
}

void replica_info(const struct replica *r, struct snapshot_info *info)
{
    struct replica_sums sums;
    replica_sums(r, &sums);
    replica_info_from(r, &sums, info);
}
