/* journal.c: eidosctl journal stat, dump, verify, replay: the logs on disk, of a running exchange
 * or not.
 */
#include <string.h>
#include <sys/stat.h>

#include "cli/logs.h"
#include "cli/replay.h"
#include "procs/lib/logfile_kinds.h"
#include "procs/lib/snapshot_file.h"
#include "shm/err.h"

/* What was found in one log. */
struct log_view {
    u32 log;
    u32 files;
    u64 bytes; /* on disk */
    u64 first, last, records;
    enum logfile_status status;
    struct logfile_fault fault;
};

static struct logs logs;

static const char *status_name(enum logfile_status status)
{
    static const char *const names[] = {
        [LOGFILE_END] = "ok",         [LOGFILE_TORN] = "torn",       [LOGFILE_DAMAGE] = "damaged",
        [LOGFILE_GAP] = "incomplete", [LOGFILE_FOREIGN] = "foreign", [LOGFILE_UNKNOWN] = "unknown",
        [LOGFILE_IO] = "unreadable",
    };
    return names[status];
}

/* Read a log after record `from`; `newest` reads its last file only. */
static int look(struct log_view *v, bool newest)
{
    u64 *firsts;
    struct logfile_reader r;
    const struct rec *rec;
    int count = logfile_list(&logs.dir, v->log, &firsts);
    if (count < 0) return -1;
    v->files = (u32)count;
    v->first = count ? firsts[0] : 0;
    for (int i = 0; i < count; i++) {
        char file[64];
        struct stat st;
        logfile_file(v->log, firsts[i], file);
        if (fstatat(logs.dir.fd, file, &st, 0) == 0) v->bytes += (u64)st.st_size;
    }
    u64 from = count ? firsts[newest ? count - 1 : 0] - 1 : 0;
    free(firsts);
    v->status = logfile_open(&r, &logs.dir, v->log, from, logs_limit(&logs, v->log));
    if (v->status == LOGFILE_END)
        while ((v->status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        }
    v->last = r.seq;
    v->records = v->first ? r.seq + 1 - v->first : 0;
    v->fault = r.fault;
    logfile_close(&r);
    return 0;
}

/* The logs that have files, and the command log in any case. */
static u32 look_all(struct log_view views[static PROC_LOGS_MAX], bool newest)
{
    u32 count = 0;
    for (u32 log = 0; log < PROC_LOGS_MAX; log++) {
        struct log_view *v = &views[count];
        *v = (struct log_view){.log = log};
        if (look(v, newest) == 0 && (v->files || log == LOG_COMMAND)) count++;
    }
    return count;
}

/* Commands that were retired must be in a snapshot. `v` is the command log's. */
static void check_beginning(struct log_view *v)
{
    u64 *seqs;
    bool found = false;
    if (v->status != LOGFILE_END || v->first <= 1) return;
    int count = snapshot_list(logs.dir.dir, &seqs);
    for (int i = count - 1; i >= 0 && !found && seqs[i] + 1 >= v->first; i--) {
        struct snapshot_reader r;
        found = snapshot_open(&r, logs.dir.dir, logs.dir.instance, seqs[i]) == 0;
        if (found) snapshot_close(&r);
    }
    free(seqs);
    if (found) return;
    v->status = LOGFILE_GAP;
    v->fault = (struct logfile_fault){.seq = 1};
    snprintf(v->fault.path, sizeof v->fault.path, "%s/journal", logs.dir.dir);
    snprintf(v->fault.cause, sizeof v->fault.cause,
             "the log begins with record %lu, and no whole snapshot holds what was before",
             v->first);
    snprintf(v->fault.remedy, sizeof v->fault.remedy,
             "restore a snapshot or the missing files from a copy");
}

static void put_view(struct json_out *out, const struct log_view *v)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(v->log, name);
    json_put_open(out, '{');
    json_put_key(out, "log"), json_put_cstring(out, name);
    json_put_key(out, "files"), json_put_u64(out, v->files);
    json_put_key(out, "bytes"), json_put_u64(out, v->bytes);
    json_put_key(out, "first"), json_put_u64(out, v->first);
    json_put_key(out, "last"), json_put_u64(out, v->last);
    json_put_key(out, "records"), json_put_u64(out, v->records);
    json_put_key(out, "status"), json_put_cstring(out, status_name(v->status));
    if (v->status != LOGFILE_END) {
        json_put_key(out, "file"), json_put_cstring(out, v->fault.path);
        json_put_key(out, "offset"), json_put_u64(out, v->fault.offset);
        json_put_key(out, "sequence"), json_put_u64(out, v->fault.seq);
        json_put_key(out, "cause"), json_put_cstring(out, v->fault.cause);
        json_put_key(out, "remedy"), json_put_cstring(out, v->fault.remedy);
    }
    json_put_close(out, '}');
}

static void print_view(const struct log_view *v)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(v->log, name);
    printf("%-10s %5u %10s %14lu %14lu %14lu  %s\n", name, v->files, cli_bytes(v->bytes), v->first,
           v->last, v->records, status_name(v->status));
    if (v->status == LOGFILE_END) return;
    printf(
        "  file    %s\n  offset  %lu, where record %lu is expected\n  cause   %s\n  remedy  %s\n",
        v->fault.path, v->fault.offset, v->fault.seq, v->fault.cause, v->fault.remedy);
}

/* stat and verify differ in how much they read, and in what a fault means. */
static int show(const struct cli *c, bool verify)
{
    static struct log_view views[PROC_LOGS_MAX];
    u32 count = look_all(views, !verify);
    bool sound = true;
    if (verify) check_beginning(&views[0]);
    for (u32 i = 0; i < count; i++)
        sound &= views[i].status == LOGFILE_END || views[i].status == LOGFILE_TORN;
    if (cli_value(c, "--json")) {
        struct json_out out;
        cli_json_begin(&out);
        json_put_open(&out, '{');
        json_put_key(&out, "ok"), json_put_bool(&out, sound);
        json_put_key(&out, "logs"), json_put_open(&out, '[');
        for (u32 i = 0; i < count; i++) put_view(&out, &views[i]);
        json_put_close(&out, ']');
        json_put_close(&out, '}');
        cli_json_end(&out);
    } else {
        printf("%-10s %5s %10s %14s %14s %14s  %s\n", "LOG", "FILES", "SIZE", "FIRST", "LAST",
               "RECORDS", verify ? "ALL OF IT" : "NEWEST FILE");
        for (u32 i = 0; i < count; i++) print_view(&views[i]);
    }
    return sound ? CLI_OK : CLI_FAILED;
}

static int dump(const struct cli *c)
{
    struct logfile_reader r;
    const struct rec *rec;
    u64 from, to, *firsts;
    const char *name = cli_value(c, "--log");
    u32 log = logfile_index(name ? name : "command");
    if (log == UINT32_MAX)
        return cli_fail(c, CLI_USAGE, "%s: there is no such log; command, account, match-0...",
                        name);
    if (!cli_number(c, "--from", 1, UINT64_MAX, 1, &from) ||
        !cli_number(c, "--to", 1, UINT64_MAX, UINT64_MAX, &to))
        return CLI_USAGE;
    int count = logfile_list(&logs.dir, log, &firsts);
    if (count > 0) from = max_u64(from, firsts[0]);
    free(firsts);
    enum logfile_status status =
        logfile_open(&r, &logs.dir, log, from - 1, min_u64(to, logs_limit(&logs, log)));
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD)
            if (rec->seq >= from) kind_print(rec, cli_value(c, "--json"), stdout);
    logfile_close(&r);
    return status == LOGFILE_END ? CLI_OK : cli_fail(c, CLI_FAILED, "%s", err_text());
}

int cmd_journal(int argc, char **argv)
{
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const char *what = c.arg[0];
    bool is_stat = !strcmp(what, "stat"), is_dump = !strcmp(what, "dump");
    bool is_replay = !strcmp(what, "replay");
    if (!is_stat && !is_dump && !is_replay && strcmp(what, "verify") != 0)
        return cli_fail(&c, CLI_USAGE, "%s: expected stat, dump, verify or replay", what);
    if ((result = logs_open(&c, &logs))) return result;
    result = is_dump     ? dump(&c)
             : is_replay ? replay_show(&c, &logs.dir, logs_limit(&logs, LOG_COMMAND))
                         : show(&c, !is_stat);
    logs_close(&logs);
    return result;
}
