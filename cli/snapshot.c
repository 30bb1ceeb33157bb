/* snapshot.c: eidosctl snapshot: which snapshots there are, and whether they are whole. */
#include "cli/cli.h"
#include "procs/lib/snapshot_file.h"
#include "shm/err.h"

static void put_one(struct json_out *out, u64 seq, const struct snapshot_info *info, u64 bytes)
{
    json_put_open(out, '{');
    json_put_key(out, "sequence"), json_put_u64(out, seq);
    json_put_key(out, "whole"), json_put_bool(out, info != NULL);
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

static void print_one(u64 seq, const struct snapshot_info *info, u64 bytes)
{
    if (info) printf("%14lu %14lu %10s  whole\n", seq, info->account_seq, cli_bytes(bytes));
    else printf("%14lu %14s %10s  %s\n", seq, "", "", err_text());
}

int cmd_snapshot(int argc, char **argv)
{
    struct cli c;
    struct logdir dir;
    struct json_out out;
    u64 *seqs;
    bool whole = true;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (logdir_open(&dir, c.source.dir.s, false)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    int count = snapshot_list(dir.dir, &seqs);
    if (count < 0) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    bool json = cli_value(&c, "--json");
    if (json) cli_json_begin(&out), json_put_open(&out, '[');
    else printf("%14s %14s %10s  %s\n", "SEQUENCE", "ACCOUNT SEQ", "SIZE", "STATE");
    for (int i = 0; i < count; i++) {
        struct snapshot_reader r;
        bool ok = snapshot_open(&r, dir.dir, dir.instance, seqs[i]) == 0;
        const struct snapshot_info *info = ok ? &r.manifest->info : NULL;
        u64 bytes = ok ? stored_bytes(r.manifest) : 0;
        whole &= ok;
        if (json) put_one(&out, seqs[i], info, bytes);
        else print_one(seqs[i], info, bytes);
        if (ok) snapshot_close(&r);
    }
    if (json) json_put_close(&out, ']'), cli_json_end(&out);
    free(seqs);
    logdir_close(&dir);
    return whole ? CLI_OK : CLI_FAILED;
}
