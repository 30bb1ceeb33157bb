/* snapshot.c: eidosctl snapshot: which snapshots there are, whether they are whole; one more. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "procs/lib/snapshot_file.h"
#include "procs/lib/snapshot_take.h"
#include "shm/durable.h"
#include "shm/err.h"

#define TAKE_NS 60000000000UL

static void put_one(struct json_out *out, u64 seq, const struct snapshot_info *info, u64 bytes,
                    bool list)
{
    json_put_open(out, '{');
    json_put_key(out, "sequence"), json_put_u64(out, seq);
    if (!list || !info) json_put_key(out, "whole"), json_put_bool(out, info != NULL);
    if (info) {
        json_put_key(out, "time_ns"), json_put_u64(out, info->time_ns);
        json_put_key(out, "account_sequence"), json_put_u64(out, info->account_seq);
        json_put_key(out, "bytes"), json_put_u64(out, bytes);
    } else {
        json_put_key(out, "why"), json_put_cstring(out, err_text());
    }
    json_put_close(out, '}');
}

static u64 stored_bytes(const struct snapshot_manifest *m)
{
    u64 bytes = 0;
    for (u32 i = 0; i < m->sections; i++) bytes += m->section[i].stored;
    return bytes;
}

static void print_one(u64 seq, const struct snapshot_info *info, u64 bytes, bool list)
{
    const char *state = list ? "not read" : "whole";
    if (info) printf("%14lu %14lu %10s  %s\n", seq, info->account_seq, cli_bytes(bytes), state);
    else printf("%14lu %14s %10s  %s\n", seq, "", "", err_text());
}

/* list believes the manifests; otherwise every byte is read. */
static int show_all(const struct cli *c, struct logdir *dir, bool list)
{
    struct json_out out;
    u64 *seqs;
    bool whole = true, json = cli_value(c, "--json");
    int count = snapshot_list(dir->dir, &seqs);
    if (count < 0) return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (json) cli_json_begin(&out), json_put_open(&out, '[');
    else printf("%14s %14s %10s  %s\n", "SEQUENCE", "ACCOUNT SEQ", "SIZE", "STATE");
    for (int i = 0; i < count; i++) {
        struct snapshot_reader r = {0};
        bool ok =
            (list ? snapshot_glance : snapshot_open)(&r, dir->dir, dir->instance, seqs[i]) == 0;
        const struct snapshot_info *info = ok ? &r.manifest->info : NULL;
        u64 bytes = ok ? stored_bytes(r.manifest) : 0;
        whole &= ok;
        if (json) put_one(&out, seqs[i], info, bytes, list);
        else print_one(seqs[i], info, bytes, list);
        if (ok) snapshot_close(&r);
    }
    if (json) json_put_close(&out, ']'), cli_json_end(&out);
    free(seqs);
    return whole ? CLI_OK : CLI_FAILED;
}

/* The snapshot that was asked for, checked. */
static int show_taken(const struct cli *c, struct logdir *dir, u64 asked)
{
    struct snapshot_reader r;
    struct json_out out;
    int found = snapshot_newest(&r, dir->dir, dir->instance, UINT64_MAX, NULL, NULL, NULL);
    if (found < 0) return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (!found || r.manifest->info.seq < asked) {
        if (found) snapshot_close(&r);
        return cli_fail(
            c, CLI_FAILED,
            "eidos-snapshot could not write one; its log says why (%s/log/snapshot.log, "
            "or where `up` runs)",
            dir->dir);
    }
    u64 seq = r.manifest->info.seq, bytes = stored_bytes(r.manifest);
    if (cli_value(c, "--json")) {
        cli_json_begin(&out);
        put_one(&out, seq, &r.manifest->info, bytes, false);
        cli_json_end(&out);
    } else {
        printf("snapshot at %lu, %s, whole\n", seq, cli_bytes(bytes));
    }
    snapshot_close(&r);
    return CLI_OK;
}

static int take(const struct cli *c, struct logdir *dir)
{
    static struct segment s;
    int result = cli_attach(c, &s, ROLE_COUNT);
    if (result) return result;
    const struct durable *durable = cli_object(&s, "durable");
    if (!durable) return cli_fail(c, CLI_FAILED, "%s", err_text());
    u64 seq = atomic_load_explicit(&durable->seq, memory_order_acquire);
    u64 until_ns = cli_monotonic_ns() + TAKE_NS;
    if (snapshot_ask(dir->dir, seq)) return cli_fail(c, CLI_FAILED, "%s", err_text());
    for (u64 asked; snapshot_asked(dir->dir, &asked);) {
        if (cli_monotonic_ns() > until_ns) {
            snapshot_answer(dir->dir);
            return cli_fail(c, CLI_FAILED, "eidos-snapshot did not write one in %lu s",
                            TAKE_NS / 1000000000UL);
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return show_taken(c, dir, seq);
}

int cmd_snapshot(int argc, char **argv)
{
    struct cli c;
    struct logdir dir;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const char *what = c.args ? c.arg[0] : "verify";
    bool list = !strcmp(what, "list"), taking = !strcmp(what, "take");
    if (!list && !taking && strcmp(what, "verify") != 0)
        return cli_fail(&c, CLI_USAGE, "%s: expected list, verify or take", what);
    if (logdir_open(&dir, c.source.dir.s, false)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    result = taking ? take(&c, &dir) : show_all(&c, &dir, list);
    logdir_close(&dir);
    return result;
}
