/* logfile.h: the logs on disk: files of records, how they are named, written, read and judged.
 *
 *   <dir>/instance                                   32 hex digits, random, made once; then "used"
 *                                                    as soon as there were commands
 *   <dir>/journal/command-00000000000000000001.log   the first record has sequence 1
 *   <dir>/journal/command-00000000000000031337.log   and this file goes on at 31337
 *   <dir>/journal/command.spare                      the next file, being prepared
 *   <dir>/journal/mark                               how far each log was synced for certain
 *
 *   0        4096                                                    segment_bytes
 *   +--------+-------+-----+-----+-----+-------+-----+--------------------+
 *   | head   | batch | rec | rec | rec | batch | rec | zeros              |
 *   +--------+-------+-----+-----+-----+-------+-----+--------------------+
 *
 * Records stand as in shared memory, byte for byte. What one group commit writes begins with a
 * batch head; the next batch is written only after this one was synced, so a batch that is there
 * proves the one before it whole. That, and the mark, tell a torn tail (an unfinished write, which
 * nobody was answered for: it is cut) from damage (something acknowledged is gone: start stops).
 *
 * Match and account files are not synced at every batch: they may trail, and replay of the command
 * log makes them anew. They never hold a record whose cause is not on disk in the command log.
 *
 * A log is named by its index: LOG_COMMAND, LOG_ACCOUNT, LOG_MATCH(i) of shm/topo.h.
 */
#ifndef EIDOS_PROCS_LIB_LOGFILE_H
#define EIDOS_PROCS_LIB_LOGFILE_H

#include <sys/uio.h>

#include "shm/record.h"
#include "shm/topo.h"

#define LOGFILE_MAGIC       0x31464c534f444945UL /* "EIDOSLF1" */
#define LOGFILE_VERSION     1
#define LOGFILE_HEAD_BYTES  4096U
#define LOGFILE_NAME_BYTES  24 /* "match-13" */
#define LOGFILE_PATH_MAX    336
#define LOGFILE_SEGMENT_MIN (256UL << 10)
#define LOGFILE_INSTANCE    16
#define LOGFILE_BATCH_KIND  0xb47c               /* struct rec.kind of a batch head; its seq is 0 */
#define LOGFILE_PIECES_MAX  4                    /* of one batch: a ring wraps once */
#define LOGFILE_MARK_MAGIC  0x314b4d534f444945UL /* "EIDOSMK1" */

/* Head of a file; the rest of its page is zero. */
struct logfile_head {
    u64 magic;
    u32 version;
    u32 crc; /* CRC-32C of the page with this field 0 */
    u8 instance[LOGFILE_INSTANCE];
    char log[LOGFILE_NAME_BYTES];
    u64 first_seq;
    u64 segment_bytes; /* as reserved */
    u64 created_ns;
};
SIZE_IS(struct logfile_head, 80);

/* Head of a batch: shaped like a record, so that one checksum serves both. */
struct logfile_batch {
    u64 zero_seq;
    u64 first_seq; /* of the batch */
    u64 bytes;     /* of the records that follow */
    u32 length;    /* of this structure */
    u32 crc;       /* as of a record */
    u16 kind;      /* LOGFILE_BATCH_KIND */
    u16 version;
    u32 zero;
};
SIZE_IS(struct logfile_batch, 40);

/* <dir>/journal/mark: rewritten after every sync, before anybody is told. It is itself synced only
 * now and then: after a power failure it may be old, which is safe; it is never too new. */
struct logfile_mark {
    u64 magic;
    u8 instance[LOGFILE_INSTANCE];
    u64 synced[PROC_LOGS_MAX]; /* by log index */
    u32 zero;
    u32 crc; /* of what stands before */
};
SIZE_IS(struct logfile_mark, 160);

/* The journal of one instance. */
struct logdir {
    char dir[256]; /* absolute */
    u8 instance[LOGFILE_INSTANCE];
    bool used; /* commands were recorded: a journal without any has lost them */
    int fd;    /* of <dir>/journal */
};

/* Open <dir>/journal. With `create`, makes the directories and the instance id where missing; an id
 * is never made beside files that belong to another. */
int logdir_open(struct logdir *d, const char *dir, bool create);
void logdir_close(struct logdir *d);

/* Note in <dir>/instance, for good, that commands were recorded. 0 or -1. */
int logdir_set_used(struct logdir *d);

/* Become the only one who changes the files, until logdir_close or death. -1 when another is. */
int logdir_lock(const struct logdir *d);

/* "command", "account", "match-0"... */
void logfile_name(u32 log, char name[LOGFILE_NAME_BYTES]);

/* Index by name, or UINT32_MAX. */
u32 logfile_index(const char *name);

/* File name of the segment that begins with `first`, relative to d->fd. */
void logfile_file(u32 log, u64 first, char name[64]);

/* First sequences of the files of a log, ascending, malloced into *firsts (the caller frees);
 * returns how many, or -1. */
int logfile_list(const struct logdir *d, u32 log, u64 **firsts);

/* Read the mark. 1, or 0 when there is none that is whole and ours (`mark` is then zeroed). */
int logfile_mark_read(const struct logdir *d, struct logfile_mark *mark);

/* ---- Reading ---------------------------------------------------------------------------------*/

enum logfile_status {
    LOGFILE_END = 0,     /* no further record (yet) */
    LOGFILE_RECORD = 1,  /* here is one */
    LOGFILE_TORN = 2,    /* the last write was not finished: logfile_cut, then go on */
    LOGFILE_DAMAGE = 3,  /* something that was on disk is gone or changed */
    LOGFILE_GAP = 4,     /* a file is missing */
    LOGFILE_FOREIGN = 5, /* a file of another instance, log or format */
    LOGFILE_UNKNOWN = 6, /* a whole record of a kind or version this build does not know */
    LOGFILE_IO = 7,      /* the system refused */
};

/* What is wrong and where; valid after any status above RECORD. err_text says it as a sentence. */
struct logfile_fault {
    char path[LOGFILE_PATH_MAX];
    u64 offset;      /* in the file */
    u64 bytes;       /* TORN: that will be cut */
    u64 seq;         /* of the record expected there */
    bool was_synced; /* TORN: the record was on disk before and may have been acknowledged */
    char cause[200];
    char remedy[200];
};

struct logfile_reader {
    struct logdir *dir; /* the caller's; stays open while the reader lives */
    u32 log;
    u64 limit;  /* read no further than this sequence; UINT64_MAX: to the end, judging it */
    int fd;     /* current file, or -1 */
    u64 first;  /* of the current file */
    u64 offset; /* of the next record */
    u64 seq;    /* of the last record read */
    u8 *buf;
    u64 buf_at, buf_bytes; /* file offset and length of what `buf` holds */
    bool io_failed, has_mark, walking;
    bool settled;             /* nobody writes these files, whatever the limit */
    u64 looked_again;         /* the record whose place was found anew */
    struct logfile_mark mark; /* as it was at the opening */
    struct logfile_fault fault;
};

/* Open for reading after `seq` (0 = from the first record). Allocates 1 MiB. `limit` lets one
 * follow files that are being written: the caller raises r->limit to sequences known to be there.
 * Returns LOGFILE_END when it stands there, or a fault. The log may end before `seq`: r->seq
 * tells. */
enum logfile_status logfile_open(struct logfile_reader *r, struct logdir *d, u32 log, u64 seq,
                                 u64 limit);
void logfile_close(struct logfile_reader *r);

/* The next record, whole and in sequence; *rec is valid until the next call. */
enum logfile_status logfile_next(struct logfile_reader *r, const struct rec **rec);

/* Move to after `seq`, as logfile_open does. */
enum logfile_status logfile_seek(struct logfile_reader *r, u64 seq);

/* Drop everything after `seq`: lowers the mark, deletes later files, zeroes the tail, syncs. */
int logfile_cut(struct logdir *d, u32 log, u64 seq);

/* ---- Writing ---------------------------------------------------------------------------------*/

/* The system calls that may fail in ways worth testing. */
struct logfile_io {
    ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t at);
    int (*sync)(int fd);
    int (*reserve)(int fd, int mode, off_t at, off_t bytes);
};
extern const struct logfile_io logfile_io_real;

/* Write again what stands after `seq` in the newest file. A sync that failed may have dropped pages
 * that still read well from memory, and a later one that succeeds does not save them: only what is
 * written again is sure to be on disk after the next sync. 0 or -1. */
int logfile_rewrite(struct logdir *d, u32 log, u64 seq, const struct logfile_io *io);

struct logfile_writer {
    struct logdir *dir; /* the caller's */
    const struct logfile_io *io;
    u32 log;
    u64 segment_bytes;
    bool zeroed;     /* write zeros ahead, so that a sync need not touch metadata */
    bool unreserved; /* the file system cannot reserve space: files must be zeroed whole */
    int fd;
    u64 first, size, offset; /* of the current file */
    u64 seq;                 /* last written */
    u64 soiled;              /* bytes after `offset` that a failed write may have left */
    int spare_fd;            /* -1 = none */
    u64 spare_bytes;         /* prepared */
};

enum { LOGFILE_NO_SPACE = 1 };

/* Go on after the last whole record, which must be `seq` unless the log is empty: then the first
 * file begins with `seq` + 1. Reads the newest file; cut what is torn first. `zeroed` for logs that
 * are synced at every batch. 0, -1, or LOGFILE_NO_SPACE. */
int logfile_writer_open(struct logfile_writer *w, struct logdir *d, u32 log, u64 segment_bytes,
                        bool zeroed, u64 seq, const struct logfile_io *io);
/* The same for who has just read that far: `end` stands after the last record of the newest file.
 */
int logfile_writer_open_at(struct logfile_writer *w, struct logdir *d, u32 log, u64 segment_bytes,
                           bool zeroed, const struct logfile_reader *end,
                           const struct logfile_io *io);
void logfile_writer_close(struct logfile_writer *w);

/* Write whole records `first`..`last`, `bytes` in all, in `count` pieces (at most
 * LOGFILE_PIECES_MAX), as one batch; begins a new file when they do not fit, syncing the old one.
 * 0; LOGFILE_NO_SPACE: nothing counts as written, call again with the same; -1: give up. */
int logfile_append(struct logfile_writer *w, const struct iovec *pieces, int count, u64 bytes,
                   u64 first, u64 last);

/* Sync what was appended. Once this failed, pages may be gone: give up, never try again. */
int logfile_sync(struct logfile_writer *w);

/* Reserve the next file, if that is not done, and write zeros over up to `bytes` more of it, if
 * this log is `zeroed`. 0, LOGFILE_NO_SPACE or -1. */
int logfile_prepare(struct logfile_writer *w, u64 bytes);

/* Rewrite the mark; `mark->synced` is the caller's. `sync` also puts it on disk. */
int logfile_mark_open(const struct logdir *d, struct logfile_mark *mark);
int logfile_mark_write(int fd, struct logfile_mark *mark, bool sync);

#endif
