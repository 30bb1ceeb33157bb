/* replay.c: eidosctl journal replay, eidosctl state diff: the state after any command, made from
 * disk in private memory, of a running exchange or not. */
#include <string.h>

#include "cli/replay.h"
#include "procs/lib/recover.h"
#include "procs/lib/replay.h"
#include "procs/lib/state_diff.h"
#include "shm/durable.h"
#include "shm/err.h"

#define DIFFERENCES 40 /* that are printed */

/* Sizes as the exchange was started with, or would be. */
static int sizes(const struct cli *c, struct topo_params *params)
{
    static struct config config;
    if (cli_running_config(c->source.dir.s, &config) && config_load(&config, &c->source))
        return cli_fail(c, CLI_USAGE, "%s", err_text());
    cli_topo_params(&config, params);
    return CLI_OK;
}

int replay_show(const struct cli *c, struct logdir *d, u64 limit)
{
    static struct replica r;
    struct topo_params params;
    struct snapshot_info info;
    u64 to, snapshot_seq;
    if (!cli_number(c, "--to", 1, UINT64_MAX, UINT64_MAX, &to)) return CLI_USAGE;
    int result = sizes(c, &params);
    if (result) return result;
    u64 begin_ns = cli_monotonic_ns();
    if (recover_at(d, &params, to, limit, replay_threads(2), &r, &snapshot_seq))
        return cli_fail(c, CLI_FAILED, "%s", err_text());
    u64 took_ns = max_u64(cli_monotonic_ns() - begin_ns, 1);
    replica_info(&r, &info);
    replica_close(&r);
    u64 records = info.seq - snapshot_seq;
    u64 rate = (u64)((u128)records * 1000000000UL / took_ns);
    if (!cli_value(c, "--json")) {
        printf("sequence  %lu\nsnapshot  %lu\nreplayed  %lu records in %lu ms, %lu a second\n"
               "state     checksum %016lx\n",
               info.seq, snapshot_seq, records, took_ns / 1000000, rate, info.checksum);
        return CLI_OK;
    }
    struct json_out out;
    char checksum[24];
    snprintf(checksum, sizeof checksum, "%016lx", info.checksum);
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "sequence"), json_put_u64(&out, info.seq);
    json_put_key(&out, "snapshot_sequence"), json_put_u64(&out, snapshot_seq);
    json_put_key(&out, "records"), json_put_u64(&out, records);
    json_put_key(&out, "duration_ns"), json_put_u64(&out, took_ns);
    json_put_key(&out, "records_per_second"), json_put_u64(&out, rate);
    json_put_key(&out, "account_sequence"), json_put_u64(&out, info.account_seq);
    json_put_key(&out, "checksum"), json_put_cstring(&out, checksum);
    json_put_close(&out, '}');
    cli_json_end(&out);
    return CLI_OK;
}

/* --- state diff --------------------------------------------------------------------------------*/

struct shown {
    struct json_out out;
    bool json;
};

static void show(void *context, const char *object, const char *field, u64 a, u64 b)
{
    struct shown *s = context;
    if (!s->json) {
        printf("%-52s %-26s %20lu %20lu\n", object, field, a, b);
        return;
    }
    json_put_open(&s->out, '{');
    json_put_key(&s->out, "object"), json_put_cstring(&s->out, object);
    json_put_key(&s->out, "field"), json_put_cstring(&s->out, field);
    json_put_key(&s->out, "a"), json_put_u64(&s->out, a);
    json_put_key(&s->out, "b"), json_put_u64(&s->out, b);
    json_put_close(&s->out, '}');
}

static void compare(const struct cli *c, const struct replica *a, const struct replica *b)
{
    struct shown s = {.json = cli_value(c, "--json") != NULL};
    if (s.json) {
        cli_json_begin(&s.out);
        json_put_open(&s.out, '{');
        json_put_key(&s.out, "differences"), json_put_open(&s.out, '[');
    } else {
        printf("%-52s %-26s %20lu %20lu\n", "AFTER COMMAND", "", a->seq, b->seq);
    }
    u64 found = state_diff(a, b, DIFFERENCES, show, &s);
    if (s.json) {
        json_put_close(&s.out, ']');
        json_put_key(&s.out, "count"), json_put_u64(&s.out, found);
        json_put_close(&s.out, '}');
        cli_json_end(&s.out);
    } else {
        printf("%lu differences%s\n", found, found > DIFFERENCES ? "; the first are shown" : "");
    }
}

static bool sequence(const struct cli *c, const char *text, u64 *seq)
{
    char *end;
    *seq = strtoull(text, &end, 10);
    if (*text >= '1' && *text <= '9' && !*end) return true;
    cli_fail(c, CLI_USAGE, "%s: expected the sequence of a command, 1 or more", text);
    return false;
}

/* How far the command log is written while an exchange runs. */
static u64 running_limit(const struct cli *c)
{
    static struct segment s;
    struct boot boot;
    const char *path = c->source.dir.s;
    if (segment_boot(path, &boot) || !segment_is_alive(&boot) ||
        segment_attach(&s, path, ROLE_COUNT, 0))
        return UINT64_MAX;
    const struct durable *durable = segment_object(&s, "durable");
    return atomic_load_explicit(&durable->written[LOG_COMMAND], memory_order_acquire);
}

int cmd_state(int argc, char **argv)
{
    static struct replica a, b;
    struct cli c;
    struct logdir d;
    struct topo_params params;
    u64 left, right, snapshot_seq;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (strcmp(c.arg[0], "diff") != 0)
        return cli_fail(&c, CLI_USAGE, "%s: expected diff", c.arg[0]);
    if (!sequence(&c, c.arg[1], &left) || !sequence(&c, c.arg[2], &right)) return CLI_USAGE;
    if ((result = sizes(&c, &params))) return result;
    if (logdir_open(&d, c.source.dir.s, false)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    u64 limit = running_limit(&c);
    if (recover_at(&d, &params, left, limit, replay_threads(2), &a, &snapshot_seq) ||
        recover_at(&d, &params, right, limit, replay_threads(2), &b, &snapshot_seq))
        return cli_fail(&c, CLI_FAILED, "%s", err_text());
    compare(&c, &a, &b);
    replica_close(&a);
    replica_close(&b);
    logdir_close(&d);
    return CLI_OK;
}
