/* logfile_write.c: appending batches to the logs on disk, and cutting what was never finished. */
#include "procs/lib/logfile_inside.h"

#include "procs/lib/regular.h"
#include "shm/crc32c.h"
#include "shm/err.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ZEROS_BYTES (256UL << 10)

static const u8 zeros[ZEROS_BYTES];

const struct logfile_io logfile_io_real = {pwritev, fdatasync, fallocate};

/* -1 with the error text, or LOGFILE_NO_SPACE. */
static int write_failed(const struct logfile_writer *w, const char *doing)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(w->log, name);
    bool full = errno == ENOSPC || errno == EDQUOT;
    err_sys("%s the %s log in %s/journal", doing, name, w->dir->dir);
    return full ? LOGFILE_NO_SPACE : -1;
}

static void spare_name(u32 log, char name[64])
{
    char log_name[LOGFILE_NAME_BYTES];
    logfile_name(log, log_name);
    snprintf(name, 64, "%s.spare", log_name);
}

/* Write zeros over [at, at + bytes). 0 or -1 with errno. */
static int write_zeros(const struct logfile_io *io, int fd, u64 at, u64 bytes)
{
    while (bytes) {
        struct iovec piece = {(void *)zeros, min_u64(bytes, ZEROS_BYTES)};
        ssize_t n = io->pwritev(fd, &piece, 1, (off_t)at);
        if (n <= 0) return -1;
        at += (u64)n;
        bytes -= (u64)n;
    }
    return 0;
}

static int write_head(struct logfile_writer *w, int fd, u64 first)
{
    alignas(8) u8 page[LOGFILE_HEAD_BYTES] = {0};
    struct logfile_head *head = (struct logfile_head *)(void *)page;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    head->magic = LOGFILE_MAGIC;
    head->version = LOGFILE_VERSION;
    memcpy(head->instance, w->dir->instance, LOGFILE_INSTANCE);
    logfile_name(w->log, head->log);
    head->first_seq = first;
    head->segment_bytes = w->segment_bytes;
    head->created_ns = (u64)now.tv_sec * 1000000000UL + (u64)now.tv_nsec;
    head->crc = crc32c(0, page, sizeof page);
    struct iovec piece = {page, sizeof page};
    if (w->io->pwritev(fd, &piece, 1, 0) != sizeof page || w->io->sync(fd)) return -1;
    return 0;
}

static void drop_spare(struct logfile_writer *w)
{
    char name[64];
    int keep = errno;
    spare_name(w->log, name);
    if (w->spare_fd >= 0) close(w->spare_fd);
    w->spare_fd = -1;
    w->spare_bytes = 0;
    unlinkat(w->dir->fd, name, 0);
    errno = keep;
}

/* 0, -1 or LOGFILE_NO_SPACE. */
static int begin_spare(struct logfile_writer *w)
{
    char name[64];
    const char *why;
    spare_name(w->log, name);
    w->spare_fd = regular_open(w->dir->fd, name, O_RDWR | O_CREAT | O_TRUNC, &why);
    w->spare_bytes = 0;
    if (w->spare_fd < 0 && (errno == ENOSPC || errno == EDQUOT))
        return write_failed(w, "reserving the next file of");
    if (w->spare_fd < 0)
        return err_set("%s/journal/%s: %s; remove it, and check the rights on the folder",
                       w->dir->dir, name, why);
    if (!w->io->reserve(w->spare_fd, 0, 0, (off_t)w->segment_bytes)) return 0;
    if (errno == EOPNOTSUPP) { /* this file system cannot reserve: zeros do it */
        w->zeroed = w->unreserved = true;
        return 0;
    }
    drop_spare(w);
    return write_failed(w, "reserving the next file of");
}

int logfile_prepare(struct logfile_writer *w, u64 bytes)
{
    if (w->spare_bytes == w->segment_bytes) return 0;
    int rc = w->spare_fd < 0 ? begin_spare(w) : 0;
    if (rc) return rc;
    if (!w->zeroed) {
        w->spare_bytes = w->segment_bytes;
        return 0;
    }
    u64 step = min_u64(bytes, w->segment_bytes - w->spare_bytes);
    if (write_zeros(w->io, w->spare_fd, w->spare_bytes, step)) {
        drop_spare(w);
        return write_failed(w, "preparing the next file of");
    }
    /* Begin writing now, so that the sync at the end has little left to do. */
    sync_file_range(w->spare_fd, (off_t)w->spare_bytes, (off_t)step, SYNC_FILE_RANGE_WRITE);
    w->spare_bytes += step;
    if (w->spare_bytes < w->segment_bytes) return 0;
    return w->io->sync(w->spare_fd) ? write_failed(w, "syncing the next file of") : 0;
}

/* Make the spare the current file, beginning with w->seq + 1. */
static int next_file(struct logfile_writer *w)
{
    char spare[64], file[64];
    int rc = w->spare_fd < 0 ? begin_spare(w) : 0;
    if (!rc && w->unreserved) rc = logfile_prepare(w, w->segment_bytes);
    if (rc) return rc;
    if (write_head(w, w->spare_fd, w->seq + 1)) return write_failed(w, "beginning a file of");
    if (w->fd >= 0 && w->io->sync(w->fd)) {
        write_failed(w, "syncing");
        return -1; /* even if the disk is full: the pages may be gone */
    }
    spare_name(w->log, spare);
    logfile_file(w->log, w->seq + 1, file);
    if (renameat(w->dir->fd, spare, w->dir->fd, file) || fsync(w->dir->fd))
        return write_failed(w, "naming a file of");
    if (w->fd >= 0) close(w->fd);
    w->fd = w->spare_fd;
    w->spare_fd = -1;
    w->spare_bytes = 0;
    w->first = w->seq + 1;
    w->size = w->segment_bytes;
    w->offset = LOGFILE_HEAD_BYTES;
    return 0;
}

static int open_to_write(const struct logdir *d, const char *file)
{
    const char *why;
    int fd = regular_open(d->fd, file, O_RDWR, &why);
    if (fd >= 0) return fd;
    return err_set("%s/journal/%s: opening for writing: %s; check the rights on it", d->dir, file,
                   why);
}

/* The newest file as it stands; *end = what its reading ended with. */
static int find_end(struct logfile_writer *w, u64 first)
{
    struct logfile_reader r;
    const struct rec *rec;
    enum logfile_status status = logfile_open(&r, w->dir, w->log, first - 1, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        }
    w->seq = r.seq;
    w->offset = r.offset;
    logfile_close(&r);
    return status == LOGFILE_END ? 0 : -1;
}

/* A file may have been cut short (a copy without its reserve): give it its full size again. */
static int open_last(struct logfile_writer *w, u64 first)
{
    char file[64];
    struct stat st;
    logfile_file(w->log, first, file);
    w->fd = open_to_write(w->dir, file);
    if (w->fd < 0) return -1;
    if (fstat(w->fd, &st)) return write_failed(w, "opening the newest file of");
    /* Who named it may have died before the name was on disk. */
    if (fsync(w->dir->fd)) return write_failed(w, "syncing the directory of");
    w->first = first;
    w->size = (u64)st.st_size;
    if (w->size >= w->segment_bytes) return 0;
    if (write_zeros(w->io, w->fd, w->size, w->segment_bytes - w->size) || w->io->sync(w->fd))
        return write_failed(w, "reserving the newest file of");
    w->size = w->segment_bytes;
    return 0;
}

static void begin_writer(struct logfile_writer *w, struct logdir *d, u32 log, u64 segment_bytes,
                         bool zeroed, u64 seq, const struct logfile_io *io)
{
    *w = (struct logfile_writer){.dir = d, .io = io, .log = log, .zeroed = zeroed, .seq = seq};
    w->segment_bytes = align_up(max_u64(segment_bytes, LOGFILE_SEGMENT_MIN), 4096);
    w->fd = w->spare_fd = -1;
    drop_spare(w);
}

int logfile_writer_open_at(struct logfile_writer *w, struct logdir *d, u32 log, u64 segment_bytes,
                           bool zeroed, const struct logfile_reader *end,
                           const struct logfile_io *io)
{
    CHECK(end->fd >= 0 && end->log == log);
    begin_writer(w, d, log, segment_bytes, zeroed, end->seq, io);
    w->offset = end->offset;
    if (open_last(w, end->first) == 0) return 0;
    logfile_writer_close(w);
    return -1;
}

int logfile_writer_open(struct logfile_writer *w, struct logdir *d, u32 log, u64 segment_bytes,
                        bool zeroed, u64 seq, const struct logfile_io *io)
{
    u64 *firsts;
    begin_writer(w, d, log, segment_bytes, zeroed, seq, io);
    int count = logfile_list(d, log, &firsts);
    if (count < 0) return -1;
    u64 last = count ? firsts[count - 1] : 0;
    free(firsts);
    int rc = last ? find_end(w, last) : logfile_prepare(w, w->segment_bytes);
    if (!rc && !last) rc = next_file(w);
    if (!rc && last && w->seq != seq) {
        char name[LOGFILE_NAME_BYTES];
        logfile_name(log, name);
        rc = err_set("the %s log in %s/journal ends with record %lu, not %lu", name, d->dir, w->seq,
                     seq);
    }
    if (!rc && last) rc = open_last(w, last);
    if (rc) logfile_writer_close(w);
    return rc;
}

void logfile_writer_close(struct logfile_writer *w)
{
    drop_spare(w);
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

/* What a failed write left must not be taken for records once the log goes on in another file. */
static int clear_soiled(struct logfile_writer *w)
{
    u64 bytes = min_u64(w->soiled, w->size - w->offset);
    if (write_zeros(w->io, w->fd, w->offset, bytes))
        return write_failed(w, "clearing an unfinished write to");
    w->soiled = 0;
    return 0;
}

int logfile_append(struct logfile_writer *w, const struct iovec *pieces, int count, u64 bytes,
                   u64 first, u64 last)
{
    CHECK(count <= LOGFILE_PIECES_MAX && first == w->seq + 1);
    struct logfile_batch batch = {.first_seq = first,
                                  .bytes = bytes,
                                  .length = sizeof batch,
                                  .kind = LOGFILE_BATCH_KIND,
                                  .version = 1};
    batch.crc = crc32c(0, &batch, sizeof batch);
    u64 total = sizeof batch + bytes;
    CHECK(LOGFILE_HEAD_BYTES + total <= w->segment_bytes);
    if (w->offset + total > w->size) {
        int rc = clear_soiled(w);
        if (!rc) rc = next_file(w);
        if (rc) return rc;
    }
    struct iovec all[LOGFILE_PIECES_MAX + 1] = {{&batch, sizeof batch}};
    memcpy(all + 1, pieces, (size_t)count * sizeof *pieces);
    ssize_t n = w->io->pwritev(w->fd, all, count + 1, (off_t)w->offset);
    if (n != (ssize_t)total) {
        w->soiled = max_u64(w->soiled, total);
        if (n >= 0) errno = ENOSPC; /* a part of it: the reserve is not honoured */
        return write_failed(w, "writing");
    }
    w->offset += total;
    w->seq = last;
    w->soiled = 0;
    return 0;
}

int logfile_sync(struct logfile_writer *w)
{
    if (!w->io->sync(w->fd)) return 0;
    write_failed(w, "syncing");
    return -1;
}

/* Zero a file from `at` to its end where it is not zero yet, and sync it. Pages whose sync failed
 * are taken for clean, though the disk may hold what was there before: they are written once more,
 * so that whoever syncs the file next syncs them too. */
static int zero_tail(int fd, u64 at)
{
    static u8 buf[ZEROS_BYTES];
    u64 from = at;
    for (ssize_t n; (n = pread(fd, buf, sizeof buf, (off_t)at)) != 0; at += (u64)n) {
        if (n < 0) return -1;
        if (memcmp(buf, zeros, (size_t)n) != 0 && write_zeros(&logfile_io_real, fd, at, (u64)n))
            return -1;
    }
    if (!fdatasync(fd)) return 0;
    int why = errno;
    write_zeros(&logfile_io_real, fd, from, at - from);
    errno = why;
    return -1;
}

/* Where the record after `seq` begins in the file `first`. */
static int find_offset(struct logdir *d, u32 log, u64 seq, u64 *offset)
{
    struct logfile_reader r;
    enum logfile_status status = logfile_open(&r, d, log, seq, UINT64_MAX);
    bool there = r.seq == seq && r.offset && (status == LOGFILE_END || status == LOGFILE_RECORD);
    *offset = r.offset;
    logfile_close(&r);
    if (there) return 0;
    return status > LOGFILE_RECORD ? -1 : err_set("there is no record %lu to cut after", seq);
}

/* Where the records after `seq` stand in the newest file: [*at, *end). */
static int find_tail(struct logdir *d, u32 log, u64 first, u64 seq, u64 *at, u64 *end)
{
    struct logfile_reader r;
    const struct rec *rec;
    enum logfile_status status = logfile_open(&r, d, log, max_u64(seq, first - 1), UINT64_MAX);
    *at = r.offset;
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        }
    *end = r.offset;
    logfile_close(&r);
    return status == LOGFILE_END ? 0 : -1;
}

int logfile_rewrite(struct logdir *d, u32 log, u64 seq, const struct logfile_io *io)
{
    static u8 buf[ZEROS_BYTES];
    u64 *firsts, at, end, n;
    char file[64];
    int count = logfile_list(d, log, &firsts), rc = 0;
    u64 first = count > 0 ? firsts[count - 1] : 0;
    free(firsts);
    if (count <= 0) return count;
    if (find_tail(d, log, first, seq, &at, &end)) return -1;
    logfile_file(log, first, file);
    int fd = open_to_write(d, file);
    if (fd < 0) return -1;
    for (; !rc && at < end; at += n) {
        n = min_u64(end - at, sizeof buf);
        struct iovec piece = {buf, n};
        if (pread(fd, buf, n, (off_t)at) != (ssize_t)n ||
            io->pwritev(fd, &piece, 1, (off_t)at) != (ssize_t)n)
            rc = -1;
    }
    if (rc) err_sys("writing again the end of %s/journal/%s", d->dir, file);
    close(fd);
    return rc;
}

static int lower_mark(struct logdir *d, u32 log, u64 seq)
{
    struct logfile_mark mark;
    if (!logfile_mark_read(d, &mark) || mark.synced[log] <= seq) return 0;
    int fd = logfile_mark_open(d, &mark);
    if (fd < 0) return -1;
    mark.synced[log] = seq;
    int rc = logfile_mark_write(fd, &mark, true);
    close(fd);
    return rc;
}

static int cut_file(struct logdir *d, u32 log, u64 first, u64 seq)
{
    char file[64];
    u64 offset;
    logfile_file(log, first, file);
    if (find_offset(d, log, seq, &offset)) return -1;
    int fd = open_to_write(d, file);
    if (fd < 0) return -1;
    int rc = zero_tail(fd, offset);
    if (rc) err_sys("cutting %s/journal/%s at byte %lu", d->dir, file, offset);
    close(fd);
    return rc;
}

int logfile_cut(struct logdir *d, u32 log, u64 seq)
{
    u64 *firsts;
    char file[64];
    int count = logfile_list(d, log, &firsts), rc = count < 0 ? -1 : lower_mark(d, log, seq);
    for (; !rc && count && firsts[count - 1] > seq + 1; count--) {
        logfile_file(log, firsts[count - 1], file);
        if (unlinkat(d->fd, file, 0)) rc = err_sys("removing %s/journal/%s", d->dir, file);
    }
    if (!rc && fsync(d->fd)) rc = err_sys("syncing %s/journal", d->dir);
    if (!rc && count) rc = cut_file(d, log, firsts[count - 1], seq);
    free(firsts);
    return rc;
}
