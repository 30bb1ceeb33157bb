#include "procs/lib/owed.h"

#include "shm/err.h"

#include <sys/mman.h>

int owed_open(struct owed *o, u64 capacity)
{
    *o = (struct owed){.bytes = align_up(log_footprint(capacity), 4096)};
    void *memory = mmap(NULL, o->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return err_sys("reserving %lu bytes", o->bytes);
    log_new(memory, capacity, 0);
    o->log = memory;
    log_join_writer(&o->writer, o->log);
    log_join_gate(&o->reader, o->log, &o->cursor);
    return log_add_gate(&o->writer, &o->cursor);
}

void owed_close(struct owed *o)
{
    if (o->log) munmap(o->log, o->bytes);
    *o = (struct owed){0};
}

void owed_go_on(struct owed *o, u64 seq)
{
    if (o->writer.head == 0) log_begin_at(&o->writer, seq);
}

int owed_take(struct owed *o, const struct rec *rec)
{
    struct log_writer *w = &o->writer;
    owed_go_on(o, rec->seq - 1);
    if (!log_room(w, RECORD_BYTES_MAX))
        return err_set("there is no room for record %lu among those that the primary made and did "
                       "not publish",
                       rec->seq);
    struct rec *copy = log_begin_again(w, rec);
    CHECK(copy->seq == rec->seq);
    log_commit(w, copy, rec->time_ns, rec->cause);
    return 0;
}

const struct rec *owed_peek(struct owed *o)
{
    log_publish(&o->writer);
    return log_peek(&o->reader);
}

void owed_pop(struct owed *o, const struct rec *rec)
{
    log_advance(&o->reader, rec);
    log_release(&o->reader);
}

void owed_drop(struct owed *o, u64 seq)
{
    const struct rec *rec;
    log_publish(&o->writer);
    while ((rec = log_peek(&o->reader)) && rec->seq <= seq) log_advance(&o->reader, rec);
    log_release(&o->reader);
}

int owed_append(struct owed *o, const char *name, struct log_writer *to, u32 most,
                const struct owed_wait *wait)
{
    const struct rec *rec;
    owed_drop(o, to->seq);
    for (; most && (rec = owed_peek(o)); owed_pop(o, rec), most--) {
        while (!log_room(to, RECORD_BYTES_MAX)) wait->wait(wait->context);
        struct rec *copy = log_begin_again(to, rec);
        if (copy->seq != rec->seq)
            return err_set("the %s log goes on with record %lu, but what the standby kept begins "
                           "with %lu",
                           name, copy->seq, rec->seq);
        log_commit(to, copy, rec->time_ns, rec->cause);
        log_publish(to);
    }
    return 0;
}

int owed_done(struct owed *o, const char *name, struct log_writer *to)
{
    if (to->seq != o->writer.seq)
        return err_set("the %s log was published through %lu, but the standby made %lu: it differs "
                       "from its primary",
                       name, to->seq, o->writer.seq);
    to->digest = o->writer.digest;
    return 0;
}
