/* The log between threads: a gating reader that sleeps, one that copies without being waited for
 * and is lapped, and between processes of which the writer is killed again and again. */
#include "shm/log.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPACITY (1UL << 20)
#define RECORDS  60000U

struct shared {
    _Atomic u32 sleeping;
    _Atomic u64 cursor;
    _Atomic bool done;
    struct log *log;
    u32 lapped, copied;
    _Atomic bool failed;
};

static struct log *make_log(void)
{
    void *memory = mmap(NULL, log_footprint(CAPACITY), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    log_new(memory, CAPACITY, 0);
    return memory;
}

static u32 length_of(u64 seq)
{
    return (u32)(sizeof(struct rec) + seq % 97 * 8 + (seq % 1000 == 0 ? 8000 : 0));
}

static void append(struct log_writer *w)
{
    u64 seq = w->seq + 1;
    u64 *body = log_begin(w, CMD_MODE, length_of(seq));
    for (u32 i = sizeof(struct rec) / 8; i < length_of(seq) / 8; i++) body[i] = seq;
    log_commit(w, body, seq, seq);
}

static bool is_right(const struct rec *rec, u64 seq)
{
    const u64 *body = (const u64 *)(const void *)rec;
    if (rec->seq != seq || rec->length != length_of(seq) || !rec_is_whole(rec)) return false;
    for (u32 i = sizeof *rec / 8; i < rec->length / 8; i++)
        if (body[i] != seq) return false;
    return true;
}

static void *gating_reader(void *context)
{
    struct shared *s = context;
    struct log_reader r;
    struct waiter w = {.sleeping = &s->sleeping};
    waiter_add(&w, &s->log->head);
    log_join_gate(&r, s->log, &s->cursor);
    for (u64 seq = 1; seq <= RECORDS;) {
        waiter_look(&w);
        const struct rec *rec = log_peek(&r);
        if (!rec) {
            waiter_sleep(&w, 10000000000UL);
            continue;
        }
        for (; rec; rec = log_peek(&r)) {
            if (!is_right(rec, seq++)) atomic_store(&s->failed, true);
            log_advance(&r, rec);
        }
        log_release(&r);
    }
    return NULL;
}

/* Slow on purpose: is lapped, finds its way back to the oldest it can, and never copies a record
 * that is not whole. */
static void *copying_reader(void *context)
{
    struct shared *s = context;
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, s->log);
    while (!atomic_load(&s->done)) {
        int length = log_copy(&r, buf, UINT64_MAX);
        if (length > 0) {
            if (!is_right((struct rec *)(void *)buf, r.seq)) atomic_store(&s->failed, true);
            s->copied++;
            if (s->copied % 64 == 0) sched_yield();
        } else if (length < 0) {
            s->lapped++;
            u64 published = atomic_load(&s->log->seq);
            if (log_seek(&r, published > 2000 ? published - 2000 : 0)) log_join_reader(&r, s->log);
        }
    }
    return NULL;
}

static void readers_sleep_and_lag(void **state)
{
    (void)state;
    struct shared s = {.log = make_log()};
    struct log_writer w;
    pthread_t gating, copying;
    log_join_writer(&w, s.log);
    log_add_gate(&w, &s.cursor);
    watch_add(&w.watch, &s.sleeping, -1);
    pthread_create(&gating, NULL, gating_reader, &s);
    pthread_create(&copying, NULL, copying_reader, &s);
    while (w.seq < RECORDS) {
        while (!log_room(&w, RECORD_BYTES_MAX)) sched_yield();
        append(&w);
        if (w.seq % 5 == 0) log_publish(&w);
    }
    log_publish(&w);
    pthread_join(gating, NULL);
    atomic_store(&s.done, true);
    pthread_join(copying, NULL);
    print_message("copied %u, lapped %u times\n", s.copied, s.lapped);
    assert_false(atomic_load(&s.failed));
    assert_true(s.copied > 0);
    munmap(s.log, log_footprint(CAPACITY));
}

static void write_until_killed(struct log *log, const _Atomic u64 *cursor)
{
    struct log_writer w;
    log_join_writer(&w, log);
    log_add_gate(&w, cursor);
    for (u32 n = 0;; n++) {
        while (!log_room(&w, RECORD_BYTES_MAX)) sched_yield();
        append(&w);
        if (n % 7 == 0) log_publish(&w);
    }
}

/* Killed anywhere, the successor goes on with the next number; readers see every record once. */
static void writer_is_killed(void **state)
{
    (void)state;
    struct log *log = make_log();
    _Atomic u64 *cursor =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(cursor != MAP_FAILED);
    struct log_reader r;
    log_join_gate(&r, log, cursor);
    u64 seq = 0;
    for (u32 round = 0; round < 60; round++) {
        pid_t child = fork();
        if (child == 0) write_until_killed(log, cursor);
        for (u64 until = seq + 300 + round * 41; seq < until;) {
            const struct rec *rec = log_peek(&r);
            if (!rec) {
                log_release(&r);
                sched_yield();
                continue;
            }
            assert_true(is_right(rec, ++seq));
            log_advance(&r, rec);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (const struct rec *rec; (rec = log_peek(&r)); log_advance(&r, rec))
            assert_true(is_right(rec, ++seq));
        log_release(&r);
    }
    assert_true(atomic_load(&log->head) > CAPACITY);
    munmap(log, log_footprint(CAPACITY));
    munmap(cursor, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_sleep_and_lag),
        cmocka_unit_test(writer_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
