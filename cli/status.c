/* status.c: eidosctl status, ps, ready: is it alive, how far is it, what protects it. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/conserved.h"
#include "cli/net.h"
#include "cli/procs.h"
#include "cli/recovery.h"
#include "shm/err.h"
#include "shm/rules.h"

/* --- ps ----------------------------------------------------------------------------------------*/

static void print_proc(const struct proc_view *v)
{
    printf("%-18s %8u  %-10s %7lu %8lu %5lu.%lu%% %6u %6u  ", v->name, v->pid, proc_word(v),
           v->beat_age_ms, v->starts ? v->starts - 1 : 0, proc_permille(v, v->worked_ns) / 10,
           proc_permille(v, v->worked_ns) % 10, v->port, v->ops_port);
    char guards[PROC_GUARDS_TEXT], behind[64] = "";
    proc_guards(v, guards);
    if (role_is_standby(v->role))
        snprintf(behind, sizeof behind, "  %lu behind, checked through %lu", v->lag, v->checked);
    printf("%s%s%s%s\n", guards, behind, v->note[0] ? "  " : "", v->note);
}

int cmd_ps(int argc, char **argv)
{
    static struct segment s;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result || (result = cli_attach(&c, &s, ROLE_COUNT))) return result;
    if (cli_value(&c, "--json")) {
        struct json_out out;
        cli_json_begin(&out);
        procs_json(&out, &s);
        cli_json_end(&out);
        return CLI_OK;
    }
    printf("%-18s %8s  %-10s %7s %8s %7s %6s %6s  %s\n", "NAME", "PID", "STATE", "BEAT ms",
           "RESTARTS", "BUSY", "PORT", "OPS", "GUARDS");
    for (u32 i = 0; i < s.topo.proc_count; i++) {
        struct proc_view v;
        proc_look(&s, i, &v);
        print_proc(&v);
    }
    return CLI_OK;
}

/* --- status ------------------------------------------------------------------------------------*/

struct status_view {
    bool ready;
    char who[PROC_NOTE_BYTES + 64]; /* is not ready, and why */
    u64 sequence, durable, epoch, uptime_s;
    const char *tls; /* "s" in https and wss */
    char host[NET_HOST_MAX];
    u32 port;
    const struct rules *rules; /* NULL: not built yet */
    struct conserved conserved;
};

static void look_at_all(struct segment *s, struct status_view *v)
{
    struct config config;
    const struct log *log = segment_object(s, "log.command");
    const struct durable *durable = segment_object(s, "durable");
    const struct proc_block *trading = segment_proc(s, ROLE_TRADING, 0);
    v->ready = cli_is_ready(s, v->who, sizeof v->who);
    v->durable = atomic_load_explicit(&durable->seq, memory_order_acquire);
    v->sequence = max_u64(v->durable, atomic_load_explicit(&log->seq, memory_order_acquire));
    v->epoch = atomic_load_explicit(&trading->epoch, memory_order_relaxed);
    v->uptime_s = (cli_unix_ns() - s->boot.created_ns) / 1000000000UL;
    v->port = atomic_load_explicit(&segment_proc(s, ROLE_API, 0)->port, memory_order_acquire);
    snprintf(v->host, sizeof v->host, "127.0.0.1");
    v->tls = "";
    if (cli_running_config(s->boot.dir, &config) == 0) {
        net_host(config.api.listen.s, v->host);
        if (config.api.tls_certificate.s[0]) v->tls = "s";
    }
    v->rules = cli_object(s, "rules");
    conserved_check(s, v->rules, &v->conserved);
}

/* The newest version of any row, per scope: what every process must have switched to. */
static void json_versions(struct json_out *out, const struct rules *rules)
{
    u32 tokens = 0, markets = 0;
    u32 token_count = atomic_load_explicit(&rules->token_count, memory_order_acquire);
    u32 market_count = atomic_load_explicit(&rules->market_count, memory_order_acquire);
    for (u32 i = 0; i < token_count; i++)
        if (rules->tokens[i].version > tokens) tokens = rules->tokens[i].version;
    for (u32 i = 0; i < market_count; i++)
        if (rules->markets[i].version > markets) markets = rules->markets[i].version;
    json_put_key(out, "config_versions"), json_put_open(out, '{');
    json_put_key(out, "token_configs"), json_put_u64(out, tokens);
    json_put_key(out, "market_configs"), json_put_u64(out, markets);
    json_put_key(out, "system_configs"), json_put_u64(out, rules->config_version);
    json_put_close(out, '}');
}

static const char *mode_word(const struct rules *r)
{
    return r->mode == MODE_NORMAL ? "normal" : r->mode == MODE_HALTED ? "halted" : "cancel_only";
}

static const char *reason_word(const struct rules *r)
{
    static const char *const words[] = {
        [MODE_BY_OPERATOR] = "operator", [MODE_BY_CLOCK] = "clock", [MODE_BY_DISK] = "disk"};
    return r->mode_reason < COUNT_OF(words) ? words[r->mode_reason] : "unknown";
}

static void print_mode(const struct rules *r)
{
    static const char *const advice[] = {
        [MODE_BY_OPERATOR] = "an operator: `eidosctl mode normal` ends it",
        [MODE_BY_CLOCK] = "the clock: check it, then `eidosctl mode normal`",
        [MODE_BY_DISK] = "the disk: it ends by itself once there is space in journal/",
    };
    if (r->mode == MODE_NORMAL) printf("  %-18s normal\n", "mode");
    else
        printf("  %-18s %s, by %s\n", "mode", r->mode == MODE_HALTED ? "HALTED" : "cancel-only",
               advice[min_u64(r->mode_reason, MODE_BY_DISK)]);
}

/* As it was kept by the start. */
static void json_recovery(struct json_out *out, const struct segment *s)
{
    json_t *record = recovery_last(s->boot.dir);
    char *text = record ? json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_put_key(out, "recovery");
    json_put_json(out, text ? text : "null", text ? strlen(text) : 4);
    free(text);
    json_decref(record);
}

static void json_status(struct segment *s, const struct status_view *v)
{
    struct json_out out;
    char url[128];
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "running"), json_put_bool(&out, true);
    json_put_key(&out, "ready"), json_put_bool(&out, v->ready);
    json_put_key(&out, "waiting_for"), json_put_cstring(&out, v->who);
    json_put_key(&out, "dir"), json_put_cstring(&out, s->boot.dir);
    json_put_key(&out, "build"), json_put_cstring(&out, s->boot.build);
    json_put_key(&out, "supervisor_pid"), json_put_u64(&out, s->boot.supervisor_pid);
    json_put_key(&out, "uptime_s"), json_put_u64(&out, v->uptime_s);
    json_put_key(&out, "sequence"), json_put_u64(&out, v->sequence);
    json_put_key(&out, "durable_sequence"), json_put_u64(&out, v->durable);
    json_put_key(&out, "epoch"), json_put_u64(&out, v->epoch);
    if (v->rules) {
        json_put_key(&out, "mode"), json_put_cstring(&out, mode_word(v->rules));
        json_put_key(&out, "mode_reason"), json_put_cstring(&out, reason_word(v->rules));
        json_versions(&out, v->rules);
    }
    json_put_key(&out, "port"), json_put_u64(&out, v->port);
    snprintf(url, sizeof url, "http%s://%s:%u", v->tls, v->host, v->port);
    json_put_key(&out, "url"), json_put_cstring(&out, url);
    snprintf(url, sizeof url, "ws%s://%s:%u/ws", v->tls, v->host, v->port);
    json_put_key(&out, "ws_url"), json_put_cstring(&out, url);
    conserved_json(&out, &v->conserved, v->rules);
    json_recovery(&out, s);
    json_put_key(&out, "processes"), procs_json(&out, s);
    json_put_close(&out, '}');
    cli_json_end(&out);
}

static void print_status(struct segment *s, const struct status_view *v)
{
    printf("%s%s%s\n", v->ready ? "ready" : "NOT READY: ", v->ready ? "" : v->who,
           v->ready ? "" : "; see `eidosctl ps`");
    printf("  %-18s %s\n  %-18s %.*s\n", "directory", s->boot.dir, "build",
           (int)sizeof s->boot.build, s->boot.build);
    printf("  %-18s %s\n", "up for", cli_span(v->uptime_s));
    printf("  %-18s %lu, on disk %lu\n", "sequence", v->sequence, v->durable);
    printf("  %-18s %lu\n", "epoch", v->epoch);
    if (v->rules) print_mode(v->rules);
    if (v->rules)
        printf("  %-18s %u tokens, %u markets, version %u\n", "rules",
               atomic_load_explicit(&v->rules->token_count, memory_order_relaxed),
               atomic_load_explicit(&v->rules->market_count, memory_order_relaxed),
               v->rules->config_version);
    printf("  %-18s http%s://%s:%u/api/v1  ws%s://%s:%u/ws\n", "serves", v->tls, v->host, v->port,
           v->tls, v->host, v->port);
    json_t *recovery = recovery_last(s->boot.dir);
    if (recovery) printf("  %-18s ", "recovered"), recovery_print(recovery);
    json_decref(recovery);
    conserved_print(&v->conserved, v->rules);
}

/* Down is an answer too: for programs an object, and exit code 3 for all. */
static void json_down(const struct cli *c)
{
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "running"), json_put_bool(&out, false);
    json_put_key(&out, "ready"), json_put_bool(&out, false);
    json_put_key(&out, "dir"), json_put_cstring(&out, c->source.dir.s);
    json_put_close(&out, '}');
    cli_json_end(&out);
}

int cmd_status(int argc, char **argv)
{
    static struct segment s;
    static struct status_view v;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    bool json = cli_value(&c, "--json");
    result = cli_attach(&c, &s, ROLE_COUNT);
    if (result == CLI_DOWN && json) json_down(&c);
    if (result) return result;
    look_at_all(&s, &v);
    if (json) json_status(&s, &v);
    else print_status(&s, &v);
    return CLI_OK;
}

/* --- ready -------------------------------------------------------------------------------------*/

/* CLI_OK, CLI_DOWN or CLI_FAILED; `who` says what is missing. */
static int is_ready(const struct cli *c, char *who, size_t size)
{
    static struct segment s;
    struct boot boot;
    const char *dir = c->source.dir.s;
    if (segment_boot(dir, &boot) || !segment_is_alive(&boot)) {
        bool starting = cli_supervisor(dir) != 0;
        snprintf(who, size,
                 starting ? "%s: the exchange recovers from disk"
                          : "no exchange is running in %s; start it with: eidosctl up",
                 dir);
        return starting ? CLI_FAILED : CLI_DOWN;
    }
    if (segment_attach(&s, dir, ROLE_COUNT, 0)) {
        snprintf(who, size, "%s", err_text());
        return CLI_FAILED;
    }
    bool ready = cli_is_ready(&s, who, size);
    segment_detach(&s);
    return ready ? CLI_OK : CLI_FAILED;
}

#define WAIT_S 60 /* of a bare --wait */

int cmd_ready(int argc, char **argv)
{
    struct cli c;
    char who[1100];
    u64 wait_s;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const char *wait = cli_value(&c, "--wait");
    if (wait && !*wait) wait_s = WAIT_S;
    else if (!cli_number(&c, "--wait", 0, 86400, 0, &wait_s)) return CLI_USAGE;
    u64 until_ns = cli_monotonic_ns() + wait_s * 1000000000UL;
    while ((result = is_ready(&c, who, sizeof who)) && cli_monotonic_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (result) return cli_fail(&c, result, "not ready after %lu s: %s", wait_s, who);
    return CLI_OK;
}
