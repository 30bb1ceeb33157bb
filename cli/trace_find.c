#include <string.h>

#include "cli/trace.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "shm/orders.h"

/* Does this record begin or follow what is looked for? 1 = yes and that is all, 0 = go on. */
typedef int visit_fn(struct trace_view *v, const struct rec *rec);

/* Read a log from after `seq` through `last`; the result of `visit` that ended it, 0, or -1. */
static int read_log(struct trace_view *v, u32 log, u64 seq, u64 last, visit_fn *visit)
{
    struct logfile_reader r;
    const struct rec *rec;
    int result = 0;
    enum logfile_status status =
        logfile_open(&r, &v->logs.dir, log, seq, min_u64(last, logs_limit(&v->logs, log)));
    if (status == LOGFILE_END)
        while (!result && r.seq < last && (status = logfile_next(&r, &rec)) == LOGFILE_RECORD)
            result = visit(v, rec);
    logfile_close(&r);
    /* A tail that is being written, or was not finished, holds nothing that was answered. */
    return status == LOGFILE_RECORD || status == LOGFILE_END || status == LOGFILE_TORN ? result
                                                                                       : -1;
}

/* --- The command -------------------------------------------------------------------------------
 */

static int is_command(struct trace_view *v, const struct rec *rec)
{
    const struct cmd_order *c = (const void *)rec;
    if (rec->kind != CMD_ORDER) return 0;
    if (v->order_id ? c->order_id != v->order_id : c->origin.request != v->request) return 0;
    v->command = *c;
    v->has_command = true;
    return 1;
}

static u64 first_time; /* of the record that first_of looks at */
static u64 first_cause;

static int first_of(struct trace_view *v, const struct rec *rec)
{
    (void)v;
    first_time = rec->time_ns;
    first_cause = rec->cause;
    return 1;
}

/* When the order was made, if trading still knows it; else UINT64_MAX. Spares reading files. */
static u64 made_at(const struct trace_view *v)
{
    struct order_view view;
    u64 seq;
    if (!v->logs.segment || !v->order_id) return UINT64_MAX;
    void *ledger = cli_object(v->logs.segment, "ledger");
    void *orders = ledger ? cli_object(v->logs.segment, "orders") : NULL;
    if (!orders) return UINT64_MAX;
    int found = orders_read(orders_join(orders), ledger_join(ledger), v->order_id, &view, &seq);
    return found == 1 ? view.created_ns : UINT64_MAX;
}

int trace_find_command(struct trace_view *v)
{
    u64 *firsts, made = made_at(v), last = UINT64_MAX;
    int count = logfile_list(&v->logs.dir, LOG_COMMAND, &firsts), found = 0;
    if (count < 0) return -1;
    for (int i = count - 1; i >= 0 && !found; i--) { /* the newest file first */
        u64 from = firsts[i] - 1;
        found = read_log(v, LOG_COMMAND, from, from + 1, first_of);
        if (found == 1)
            found = first_time > made ? 0 : read_log(v, LOG_COMMAND, from, last, is_command);
        last = from;
    }
    free(firsts);
    return found;
}

/* --- What became of it -------------------------------------------------------------------------
 */

/* Price and amount with what they are of, when the rules can be seen. */
static void put_amount(const struct trace_view *v, u16 market, u64 price, u64 lots, char *text,
                       size_t size)
{
    char p[DECIMAL_TEXT], a[DECIMAL_TEXT];
    struct market m;
    if (!v->rules || !wire_market_at(v->rules, market, &m)) {
        snprintf(text, size, "%lu lots at %lu ticks", lots, price);
        return;
    }
    decimal_format((u128)price * m.tick_wad, 18, p);
    decimal_format((u128)lots * m.lot_wad, 18, a);
    snprintf(text, size, "%s at %s", a, p);
}

/* The command that caused a fill: it stands in the match log. */
static u64 cause_of(struct trace_view *v, u64 trade_id)
{
    u32 matching = (u32)(trade_id >> 52);
    u64 seq = trade_id & ((1UL << 52) - 1);
    return read_log(v, LOG_MATCH(matching), seq - 1, seq, first_of) == 1 ? first_cause : 0;
}

static void add_push(struct trace_view *v, const struct rec *rec)
{
    u32 sockets;
    char process[24];
    u64 pushed = trace_pushed_at(v, rec->seq, &sockets, process);
    struct trace_event *e = pushed ? trace_add(v, pushed, 50, "pushed", process) : NULL;
    if (!e) return;
    e->seq = rec->seq;
    snprintf(e->text, sizeof e->text, "account record %lu to %u socket%s", rec->seq, sockets,
             sockets == 1 ? "" : "s");
    if (!v->pushed_ns) v->pushed_ns = pushed - v->offset_ns;
}

/* When trading did what a record says. */
static u64 done_at(const struct trace_view *v, const struct rec *rec)
{
    return max_u64(rec->time_ns, v->floor_ns);
}

/* The fill, as matching made it and as trading admitted it. */
static void add_fill(struct trace_view *v, const struct account_trade *r)
{
    u32 matching = (u32)(r->trade_id >> 52);
    u64 cause = cause_of(v, r->trade_id), matched = trace_matched_at(v, matching, cause);
    char process[24], amount[2 * DECIMAL_TEXT + 8];
    v->floor_ns = max_u64(v->floor_ns, matched);
    snprintf(process, sizeof process, "matching@%u", matching);
    put_amount(v, r->now.order.market, r->price, r->lots, amount, sizeof amount);
    struct trace_event *e = trace_add(v, matched ? matched : done_at(v, &r->head),
                                      matched ? 10 : 19, "filled", process);
    if (!e) return;
    snprintf(e->text, sizeof e->text, "%s, %s; trade %lu with order %lu, command %lu", amount,
             r->takes ? "taking" : "making", r->trade_id, r->other_id, cause);
    e->trade_id = r->trade_id;
    e->other_id = r->other_id;
    e->seq = cause;
    e = trace_add(v, done_at(v, &r->head), 20, "cleared", "trading");
    if (!e) return;
    e->trade_id = r->trade_id;
    e->seq = r->head.cause;
    snprintf(e->text, sizeof e->text, "command %lu admits trade %lu; now %s", r->head.cause,
             r->trade_id, wire_status(r->now.order.status));
}

static void add_step(struct trace_view *v, const struct account_order *r)
{
    struct trace_event *e =
        trace_add(v, done_at(v, &r->head), 20, wire_order_event(r->event), "trading");
    if (!e) return;
    e->seq = r->head.cause;
    snprintf(e->text, sizeof e->text, "command %lu; now %s", r->head.cause,
             wire_status(r->now.order.status));
}

static int follow_account(struct trace_view *v, const struct rec *rec)
{
    const void *record = rec;
    const struct account_state *now = NULL;
    if (rec->kind == ACCOUNT_TRADE) now = &((const struct account_trade *)record)->now;
    if (rec->kind == ACCOUNT_ORDER) now = &((const struct account_order *)record)->now;
    if (!now || now->order.order_id != v->order_id) return 0;
    if (rec->kind == ACCOUNT_TRADE) add_fill(v, record);
    else add_step(v, record);
    add_push(v, rec);
    return now->order.status >= STATUS_FILLED || v->cut;
}

/* The account record after which everything about command `seq` stands. */
static u64 account_before(struct trace_view *v, u64 seq)
{
    u64 *firsts, from = 0;
    int count = logfile_list(&v->logs.dir, LOG_ACCOUNT, &firsts);
    for (int i = count - 1; i >= 0; i--) {
        from = firsts[i] - 1;
        if (read_log(v, LOG_ACCOUNT, from, from + 1, first_of) == 1 && first_cause <= seq) break;
    }
    if (count >= 0) free(firsts);
    return from;
}

int trace_from_logs(struct trace_view *v)
{
    const struct cmd_order *c = &v->command;
    char amount[2 * DECIMAL_TEXT + 8];
    u64 durable = trace_durable_at(v, c->head.seq);
    if (v->proven_ns) v->floor_ns = v->proven_ns + v->offset_ns;
    struct trace_event *e = trace_add(v, done_at(v, &c->head), 4, "sequenced", "trading");
    put_amount(v, c->market, c->price, c->lots, amount, sizeof amount);
    e->seq = c->head.seq;
    if (c->code)
        snprintf(e->text, sizeof e->text, "command %lu, refused: %u %s", c->head.seq, c->code,
                 wire_message(c->code));
    else
        snprintf(e->text, sizeof e->text, "command %lu: %s %s", c->head.seq, wire_side(c->side),
                 amount);
    if (durable) {
        v->durable_ns = durable - v->offset_ns;
        e = trace_add(v, durable, 25, "durable", "journal");
        if (e) snprintf(e->text, sizeof e->text, "command %lu", e->seq = c->head.seq);
    }
    if (c->code) return 0;
    u32 matching = 0;
    struct market m;
    if (v->rules && wire_market_at(v->rules, c->market, &m)) matching = m.matching;
    u64 matched = trace_matched_at(v, matching, c->head.seq);
    if (matched) {
        v->matched_ns = matched - v->offset_ns;
        v->floor_ns = max_u64(v->floor_ns, matched);
        char process[24];
        snprintf(process, sizeof process, "matching@%u", matching);
        trace_add(v, matched, 9, "matched", process);
    }
    return read_log(v, LOG_ACCOUNT, account_before(v, c->head.seq), UINT64_MAX, follow_account) < 0
               ? -1
               : 0;
}
