#include "procs/snapshot/check.h"

#include "shm/err.h"

int check_add(struct check *c, struct logdir *d, u32 log, u64 made)
{
    CHECK(c->count < PROC_LOGS_MAX);
    struct check_log *l = &c->logs[c->count++];
    *l = (struct check_log){.log = log, .through = made, .made = made};
    u64 written = atomic_load_explicit(&c->durable->written[log], memory_order_acquire);
    return logfile_open(&l->files, d, log, made, written) == LOGFILE_END ? 0 : -1;
}

static void grow(struct check_log *l)
{
    u64 room = l->room ? 2 * l->room : 4096;
    u32 *crcs = malloc(room * sizeof *crcs);
    CHECK(crcs);
    for (u64 seq = l->through + 1; seq <= l->made; seq++)
        crcs[seq & (room - 1)] = l->crcs[seq & (l->room - 1)];
    free(l->crcs);
    l->crcs = crcs;
    l->room = room;
}

void check_made(struct check *c, u32 log, const struct rec *rec)
{
    for (u32 i = 0; i < c->count; i++) {
        struct check_log *l = &c->logs[i];
        if (l->log != log) continue;
        if (l->made - l->through == l->room) grow(l);
        l->made = rec->seq;
        l->crcs[rec->seq & (l->room - 1)] = rec->crc;
    }
}

static i64 compare(struct check *c, struct check_log *l, u32 most)
{
    const struct rec *rec;
    u64 written = atomic_load_explicit(&c->durable->written[l->log], memory_order_acquire);
    i64 done = 0;
    l->files.limit = min_u64(written, l->made);
    while (most-- && l->files.seq < l->files.limit) {
        if (logfile_next(&l->files, &rec) != LOGFILE_RECORD) return -1;
        if (rec->seq <= l->through) continue;
        if (rec->crc != l->crcs[rec->seq & (l->room - 1)]) {
            char name[LOGFILE_NAME_BYTES];
            logfile_name(l->log, name);
            return err_set("replay makes another record %lu of the %s log than the live process "
                           "did (it follows from command %lu): keep the files, they are the proof",
                           rec->seq, name, rec->cause);
        }
        l->through = rec->seq;
        done++;
    }
    return done;
}

i64 check_files(struct check *c, u32 most)
{
    i64 done = 0;
    for (u32 i = 0; i < c->count; i++) {
        i64 n = compare(c, &c->logs[i], most);
        if (n < 0) return -1;
        done += n;
    }
    c->compared += (u64)done;
    return done;
}

void check_close(struct check *c)
{
    for (u32 i = 0; i < c->count; i++) {
        logfile_close(&c->logs[i].files);
        free(c->logs[i].crcs);
    }
}
