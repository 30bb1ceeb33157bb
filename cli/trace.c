/* trace.c: eidosctl trace: the life of one order as a timeline. */
#include "cli/trace.h"

#include <string.h>
#include <time.h>

#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "shm/metrics.h"

struct trace_event *trace_add(struct trace_view *v, u64 time_ns, u64 rank, const char *step,
                              const char *process)
{
    if (v->count == TRACE_EVENTS_MAX) v->cut = true;
    if (v->cut) return NULL;
    struct trace_event *e = &v->events[v->count++];
    *e = (struct trace_event){.time_ns = time_ns, .rank = rank, .step = step};
    snprintf(e->process, sizeof e->process, "%s", process);
    return e;
}

static int earlier(const void *a, const void *b)
{
    const struct trace_event *x = a, *y = b;
    if (x->time_ns != y->time_ns) return x->time_ns < y->time_ns ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* --- Hops: the same as the histograms of metrics.def measure -----------------------------------
 */

struct hop {
    const char *name;
    u64 from_ns, to_ns; /* 0 = not known */
};

#define HOPS 8U

static void find_hops(const struct trace_view *v, struct hop hops[static HOPS])
{
    u64 sequenced = v->has_command ? v->command.head.time_ns - v->offset_ns : 0;
    if (!v->offset_ns) sequenced = 0;
    const struct hop all[HOPS] = {
        {"socket", v->read_ns, v->asked_ns},   {"verify", v->asked_ns, v->proven_ns},
        {"sequence", v->proven_ns, sequenced}, {"durable", sequenced, v->durable_ns},
        {"match", sequenced, v->matched_ns},   {"reply", v->replied_ns, v->answered_ns},
        {"push", sequenced, v->pushed_ns},     {"all", v->read_ns, v->answered_ns},
    };
    memcpy(hops, all, sizeof all);
}

static u64 hop_ns(const struct hop *h)
{
    return h->to_ns > h->from_ns ? h->to_ns - h->from_ns : 0;
}

/* --- Output ------------------------------------------------------------------------------------
 */

static void put_time(u64 time_ns, char text[static 40])
{
    struct tm tm;
    time_t s = (time_t)(time_ns / 1000000000UL);
    gmtime_r(&s, &tm);
    size_t n = strftime(text, 40, "%FT%T", &tm);
    snprintf(text + n, 40 - n, ".%06luZ", time_ns % 1000000000UL / 1000);
}

static void print_head(const struct trace_view *v)
{
    char id[TRACE_ID_TEXT];
    const struct cmd_order *c = &v->command;
    struct market m;
    if (v->order_id) printf("order %lu", v->order_id);
    else printf("a request that made no order");
    if (v->has_command && v->rules && wire_market_at(v->rules, c->market, &m))
        printf(", %s %s %s %s", m.symbol, wire_side(c->side), wire_type(c->type), wire_tif(c->tif));
    trace_id_format(v->id, id);
    printf("\ntrace %s", v->id.high || v->id.low ? id : "not remembered");
    if (v->request) printf(", request %lu", v->request);
    if (v->has_command) printf(", command %lu", c->head.seq);
    printf("\n\n");
}

static void print_events(const struct trace_view *v)
{
    char time[40];
    put_time(v->events[0].time_ns, time);
    printf("  from %s\n", time);
    for (u32 i = 0; i < v->count; i++) {
        const struct trace_event *e = &v->events[i];
        printf("  %14.1f us  %-11s %-12s %s\n",
               (double)(e->time_ns - v->events[0].time_ns) / 1000.0, e->step, e->process, e->text);
    }
    if (v->cut) printf("  and more, which is not shown\n");
}

static void print_hops(const struct trace_view *v)
{
    struct hop hops[HOPS];
    bool any = false, gaps = false;
    find_hops(v, hops);
    for (u32 i = 0; i < HOPS; i++) {
        if (!hops[i].from_ns || !hops[i].to_ns) {
            gaps |= strcmp(hops[i].name, "push") != 0;
            continue;
        }
        printf("%s%s %.1f us", any ? ", " : "\n  hops: ", hops[i].name,
               (double)hop_ns(&hops[i]) / 1000.0);
        any = true;
    }
    printf("%s", any ? "\n" : "");
    if (gaps)
        printf("  what is missing stood only in the processes' rings, which hold the last "
               "[trace] entries each\n  and begin anew with the exchange\n");
}

static void json_events(struct json_out *out, const struct trace_view *v)
{
    json_put_key(out, "events"), json_put_open(out, '[');
    for (u32 i = 0; i < v->count; i++) {
        const struct trace_event *e = &v->events[i];
        json_put_open(out, '{');
        json_put_key(out, "time_ns"), json_put_id(out, e->time_ns);
        json_put_key(out, "since_ns"), json_put_u64(out, e->time_ns - v->events[0].time_ns);
        json_put_key(out, "step"), json_put_cstring(out, e->step);
        json_put_key(out, "process"), json_put_cstring(out, e->process);
        json_put_key(out, "text"), json_put_cstring(out, e->text);
        if (e->seq) json_put_key(out, "sequence"), json_put_u64(out, e->seq);
        if (e->trade_id) json_put_key(out, "trade_id"), json_put_id(out, e->trade_id);
        if (e->other_id) json_put_key(out, "other_order_id"), json_put_id(out, e->other_id);
        json_put_close(out, '}');
    }
    json_put_close(out, ']');
}

static void json_trace(const struct trace_view *v)
{
    struct json_out out;
    struct hop hops[HOPS];
    char id[TRACE_ID_TEXT];
    trace_id_format(v->id, id);
    find_hops(v, hops);
    cli_json_begin(&out);
    json_put_open(&out, '{');
    if (v->order_id) json_put_key(&out, "order_id"), json_put_id(&out, v->order_id);
    if (v->id.high || v->id.low) json_put_key(&out, "trace_id"), json_put_cstring(&out, id);
    if (v->request) json_put_key(&out, "request"), json_put_id(&out, v->request);
    if (v->has_command) json_put_key(&out, "sequence"), json_put_u64(&out, v->command.head.seq);
    json_events(&out, v);
    json_put_key(&out, "hops_ns"), json_put_open(&out, '{');
    for (u32 i = 0; i < HOPS; i++) {
        if (!hops[i].from_ns || !hops[i].to_ns) continue;
        json_put_key(&out, hops[i].name), json_put_u64(&out, hop_ns(&hops[i]));
    }
    json_put_close(&out, '}');
    json_put_close(&out, '}');
    cli_json_end(&out);
}

/* --- The command -------------------------------------------------------------------------------
 */

static int look(const struct cli *c, struct trace_view *v)
{
    const char *what = c->arg[0];
    bool is_order =
        decimal_parse_u64(what, strlen(what), &v->order_id) == DECIMAL_OK && v->order_id;
    if (!is_order) {
        v->order_id = 0;
        v->id = trace_id_of(what, strlen(what));
        if (!trace_find_request(v))
            return cli_fail(c, CLI_FAILED,
                            "%s: no such order, and no gateway remembers a request with that trace "
                            "id; each keeps the last [trace] entries, since the exchange started",
                            what);
    }
    if (is_order || v->request) {
        int found = trace_find_command(v);
        if (found < 0) return cli_fail(c, CLI_FAILED, "%s", err_text());
        if (!found && is_order)
            return cli_fail(c, CLI_FAILED,
                            "order %lu is in no journal file: it never was, or is older than "
                            "journal.retain",
                            v->order_id);
    }
    if (v->has_command) {
        v->order_id = v->command.order_id;
        v->request = v->command.origin.request;
    }
    trace_from_stamps(v);
    if (v->has_command && trace_from_logs(v)) return cli_fail(c, CLI_FAILED, "%s", err_text());
    return CLI_OK;
}

int cmd_trace(int argc, char **argv)
{
    static struct trace_view v;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result || (result = logs_open(&c, &v.logs))) return result;
    if (v.logs.segment) {
        v.rules = cli_object(v.logs.segment, "rules");
        v.offset_ns =
            metric_get(segment_proc(v.logs.segment, ROLE_TRADING, 0), METRIC_TRADING_CLOCK);
    }
    if ((result = look(&c, &v)) == CLI_OK) {
        qsort(v.events, v.count, sizeof v.events[0], earlier);
        if (cli_value(&c, "--json")) {
            json_trace(&v);
        } else {
            print_head(&v);
            print_events(&v);
            print_hops(&v);
        }
    }
    logs_close(&v.logs);
    return result;
}
