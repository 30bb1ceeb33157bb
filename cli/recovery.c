/* recovery.c: eidosctl recovery: what the last start, or each one, found on disk. */
#include "cli/recovery.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"

#define LINE_MAX_BYTES (64UL << 10)

/* --- Keeping -----------------------------------------------------------------------------------*/

void recovery_report(struct recovery *r, const char *text)
{
    if (r->count < RECOVERY_REPORTS)
        snprintf(r->reports[r->count], sizeof r->reports[0], "%s", text);
    r->count++;
}

static void put_u64(json_t *o, const char *name, u64 value)
{
    json_object_set_new(o, name, json_integer((json_int_t)value));
}

static void put_found(json_t *o, const struct recovery *r)
{
    const struct recovered *f = &r->found;
    char checksum[24];
    u64 records = f->checksum_seq - f->snapshot_seq;
    snprintf(checksum, sizeof checksum, "%016lx", f->checksum);
    put_u64(o, "sequence", f->seq);
    put_u64(o, "snapshot_sequence", f->snapshot_seq);
    put_u64(o, "replayed", records);
    put_u64(o, "left_to_processes", f->seq - f->checksum_seq);
    put_u64(o, "records_per_second", (u64)((u128)records * 1000000000UL / max_u64(r->took_ns, 1)));
    put_u64(o, "account_sequence", f->account_seq);
    json_object_set_new(o, "checksum", json_string(checksum));
    put_u64(o, "checksum_sequence", f->checksum_seq);
    put_u64(o, "checking_us", f->check_ns / 1000);
    put_u64(o, "loading_us", f->load_ns / 1000);
    put_u64(o, "replaying_us", f->replay_ns / 1000);
    put_u64(o, "saving_us", f->save_ns / 1000);
}

static json_t *record_of(const struct recovery *r)
{
    json_t *o = json_object(), *reports = json_array();
    put_u64(o, "time_ms", cli_unix_ns() / 1000000);
    json_object_set_new(o, "build", json_string(cli_build()));
    json_object_set_new(o, "ok", json_boolean(r->ok));
    put_u64(o, "took_us", r->took_ns / 1000);
    if (r->ok) put_found(o, r);
    else json_object_set_new(o, "why", json_string(r->why));
    for (u32 i = 0; i < r->count && i < RECOVERY_REPORTS; i++)
        json_array_append_new(reports, json_string(r->reports[i]));
    put_u64(o, "reports_count", r->count);
    json_object_set_new(o, "reports", reports);
    return o;
}

static void path_of(const char *dir, char path[CONFIG_TEXT_MAX + 24])
{
    snprintf(path, CONFIG_TEXT_MAX + 24, "%s/recoveries.jsonl", dir);
}

int recovery_keep(const struct recovery *r, const char *dir)
{
    char path[CONFIG_TEXT_MAX + 24], *line;
    json_t *record = record_of(r);
    char *text = json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(record);
    CHECK(text && asprintf(&line, "%s\n", text) > 0);
    free(text);
    path_of(dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    ssize_t length = (ssize_t)strlen(line);
    int rc = fd >= 0 && write(fd, line, (size_t)length) == length ? 0 : err_sys("%s", path);
    if (fd >= 0) close(fd);
    free(line);
    return rc;
}

/* --- Reading -----------------------------------------------------------------------------------*/

/* The next whole record of a file, or NULL at its end; what is no record is passed over. */
static json_t *next_record(FILE *file)
{
    static char line[LINE_MAX_BYTES];
    json_t *record = NULL;
    while (!record && fgets(line, sizeof line, file)) record = json_loads(line, 0, NULL);
    return record;
}

json_t *recovery_last(const char *dir)
{
    char path[CONFIG_TEXT_MAX + 24];
    json_t *last = NULL;
    path_of(dir, path);
    FILE *file = fopen(path, "re");
    if (!file) return NULL;
    /* The newest ones stand at the end. */
    if (fseek(file, -(long)(2 * LINE_MAX_BYTES), SEEK_END)) rewind(file);
    for (json_t *record; (record = next_record(file));) {
        json_decref(last);
        last = record;
    }
    fclose(file);
    return last;
}

static u64 number(const json_t *o, const char *name)
{
    return (u64)json_integer_value(json_object_get(o, name));
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

void recovery_print(const json_t *r)
{
    u64 took_us = number(r, "took_us"), told = number(r, "reports_count");
    if (!json_is_true(json_object_get(r, "ok"))) {
        printf("REFUSED after %lu ms: %s\n", took_us / 1000, text_of(r, "why"));
        return;
    }
    printf("command %lu in %lu.%lu ms: snapshot at %lu, %lu records replayed, %lu a second, "
           "%lu left to the processes, checksum %s",
           number(r, "sequence"), took_us / 1000, took_us / 100 % 10,
           number(r, "snapshot_sequence"), number(r, "replayed"), number(r, "records_per_second"),
           number(r, "left_to_processes"), text_of(r, "checksum"));
    if (told) printf("; %lu remarks: `eidosctl recovery`", told);
    printf("\n");
}

static void print_whole(const json_t *r)
{
    char at[40];
    time_t time_s = (time_t)(number(r, "time_ms") / 1000);
    struct tm tm;
    gmtime_r(&time_s, &tm);
    strftime(at, sizeof at, "%FT%TZ", &tm);
    printf("started   %s, eidos %s\n", at, text_of(r, "build"));
    if (json_is_true(json_object_get(r, "ok")))
        printf(
            "sequence  %lu\nsnapshot  %lu\nreplayed  %lu records in %lu ms, %lu a second, reading "
            "and writing snapshots included\ntook      %lu ms to find and check files, %lu to load "
            "the snapshot, %lu to replay, %lu to write a new one\nleft      %lu records to the "
            "processes, each to replay itself\nstate     checksum %s after command %lu\n",
            number(r, "sequence"), number(r, "snapshot_sequence"), number(r, "replayed"),
            number(r, "took_us") / 1000, number(r, "records_per_second"),
            number(r, "checking_us") / 1000, number(r, "loading_us") / 1000,
            number(r, "replaying_us") / 1000, number(r, "saving_us") / 1000,
            number(r, "left_to_processes"), text_of(r, "checksum"), number(r, "checksum_sequence"));
    else printf("REFUSED   %s\n", text_of(r, "why"));
    const json_t *reports = json_object_get(r, "reports");
    for (size_t i = 0; i < json_array_size(reports); i++)
        printf("remark    %s\n", json_string_value(json_array_get(reports, i)));
}

static void show(const struct cli *c, const json_t *record)
{
    if (!cli_value(c, "--json")) {
        print_whole(record);
        return;
    }
    char *text = json_dumps(record, JSON_COMPACT | JSON_PRESERVE_ORDER);
    CHECK(text);
    printf("%s\n", text);
    free(text);
}

static int show_all(const struct cli *c)
{
    char path[CONFIG_TEXT_MAX + 24];
    bool more = false;
    path_of(c->source.dir.s, path);
    FILE *file = fopen(path, "re");
    if (!file) return cli_fail(c, CLI_FAILED, "no start is recorded in %s", path);
    for (json_t *record; (record = next_record(file)); more = true) {
        if (more && !cli_value(c, "--json")) printf("\n");
        show(c, record);
        json_decref(record);
    }
    fclose(file);
    return CLI_OK;
}

int cmd_recovery(int argc, char **argv)
{
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (cli_value(&c, "--all")) return show_all(&c);
    json_t *record = recovery_last(c.source.dir.s);
    if (!record)
        return cli_fail(&c, CLI_FAILED, "no start is recorded in %s/recoveries.jsonl",
                        c.source.dir.s);
    show(&c, record);
    json_decref(record);
    return CLI_OK;
}
