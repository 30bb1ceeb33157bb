#include "tests/lib/journal_dir.h"

#include "shm/crc32c.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEPOSIT_BYTES sizeof(struct cmd_deposit)

void journal_dir_make(struct journal_dir *j)
{
    snprintf(j->path, sizeof j->path, "/tmp/eidos-journal-XXXXXX");
    CHECK(mkdtemp(j->path));
    CHECK(logdir_open(&j->dir, j->path, true) == 0);
}

void journal_dir_remove(struct journal_dir *j)
{
    char command[100];
    logdir_close(&j->dir);
    snprintf(command, sizeof command, "rm -rf %s", j->path);
    CHECK(system(command) == 0); /* a path of our own making */
}

u32 journal_deposit(void *buf, u64 seq)
{
    struct cmd_deposit d = {.head = {.seq = seq,
                                     .time_ns = 1700000000000000000UL + seq,
                                     .cause = seq,
                                     .length = DEPOSIT_BYTES,
                                     .kind = CMD_DEPOSIT,
                                     .version = 1},
                            .amount = seq * 7};
    memset(d.wallet, (int)(seq | 1) & 0xff, sizeof d.wallet);
    d.head.crc = crc32c(0, &d, sizeof d);
    memcpy(buf, &d, sizeof d);
    return sizeof d;
}

u32 journal_balance(void *buf, u64 seq, u64 cause)
{
    struct account_balance b = {.head = {.seq = seq,
                                         .time_ns = 1700000000000000000UL + cause,
                                         .cause = cause,
                                         .length = sizeof b,
                                         .kind = ACCOUNT_BALANCE,
                                         .version = 1},
                                .settled_available = seq,
                                .account = 1};
    b.head.crc = crc32c(0, &b, sizeof b);
    memcpy(buf, &b, sizeof b);
    return sizeof b;
}

void journal_fill(struct journal_dir *j, u64 first, u64 count, u64 batch, u64 segment, u64 synced)
{
    struct logfile_writer w;
    u8 *buf = malloc(batch * RECORD_BYTES_MAX);
    CHECK(buf && logfile_writer_open(&w, &j->dir, LOG_COMMAND, segment, true, first - 1,
                                     &logfile_io_real) == 0);
    for (u64 seq = first; seq < first + count;) {
        u64 n = min_u64(batch, first + count - seq), bytes = 0;
        for (u64 i = 0; i < n; i++) bytes += journal_deposit(buf + bytes, seq + i);
        struct iovec piece = {buf, bytes};
        CHECK(logfile_append(&w, &piece, 1, bytes, seq, seq + n - 1) == 0);
        seq += n;
    }
    CHECK(logfile_sync(&w) == 0);
    logfile_writer_close(&w);
    free(buf);
    if (synced) journal_set_mark(j, LOG_COMMAND, synced);
}

void journal_path(const struct journal_dir *j, u32 log, u64 first, char path[400])
{
    char file[64];
    logfile_file(log, first, file);
    snprintf(path, 400, "%s/journal/%s", j->path, file);
}

u64 journal_place(struct journal_dir *j, u32 log, u64 seq, u64 *first)
{
    struct logfile_reader r;
    const struct rec *rec;
    CHECK(logfile_open(&r, &j->dir, log, seq - 1, UINT64_MAX) == LOGFILE_END);
    CHECK(logfile_next(&r, &rec) == LOGFILE_RECORD && rec->seq == seq);
    u64 at = r.offset - rec->length;
    *first = r.first;
    logfile_close(&r);
    return at;
}

void journal_flip(const char *path, u64 offset, u8 mask)
{
    u8 byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
    byte ^= mask;
    CHECK(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    close(fd);
}

void journal_zero(const char *path, u64 offset, u64 bytes)
{
    u8 zero[4096] = {0};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    for (u64 n; bytes; offset += n, bytes -= n) {
        n = min_u64(bytes, sizeof zero);
        CHECK(pwrite(fd, zero, n, (off_t)offset) == (ssize_t)n);
    }
    close(fd);
}

void journal_set_mark(struct journal_dir *j, u32 log, u64 synced)
{
    struct logfile_mark mark;
    int fd = logfile_mark_open(&j->dir, &mark);
    mark.synced[log] = synced;
    CHECK(fd >= 0 && logfile_mark_write(fd, &mark, true) == 0);
    close(fd);
}
