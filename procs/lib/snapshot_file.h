/* snapshot_file.h: one file that holds the whole logical state at one command sequence.
 *
 *   <dir>/snapshots/00000000000000031337.snap
 *
 *   +------+-----------+-----------+-----+-----------+----------+---------+
 *   | head | section   | section   | ... | section   | manifest | trailer |
 *   +------+-----------+-----------+-----+-----------+----------+---------+
 *            blocks: raw bytes, stored bytes, then LZ4 data, or the bytes themselves where that
 *            does not pay
 *
 * A section is a stream of bytes with a kind and an index (a market, a matching process). The
 * manifest names each section's place, size and CRC-32C, and what the snapshot is of. A file gets
 * its name only when it is whole and on disk, so a crash leaves none that is half written. What the
 * sections hold is decided in replica_save.c.
 */
#ifndef EIDOS_PROCS_LIB_SNAPSHOT_FILE_H
#define EIDOS_PROCS_LIB_SNAPSHOT_FILE_H

#include "procs/lib/logfile.h"
#include "shm/record.h"
#include "shm/topo.h"

#define SNAPSHOT_MAGIC        0x314e53534f444945UL /* "EIDOSSN1" */
#define SNAPSHOT_VERSION      3                    /* 2, which knows no transfers, is read too */
#define SNAPSHOT_BLOCK        (256UL << 10)        /* raw bytes of a block */
#define SNAPSHOT_SECTIONS_MAX 1024U
#define SNAPSHOT_MATCHING_MAX (PROC_LOGS_MAX - LOG_MATCH(0))

enum snapshot_section_kind {
    SECTION_RULES = 1,
    SECTION_TOTALS = 2, /* of the ledger, and market states */
    SECTION_ACCOUNTS = 3,
    SECTION_ORDERS = 4,
    SECTION_BOOK = 5, /* index: market */
    SECTION_MARKET_DATA = 6,
    SECTION_UNMERGED = 7,  /* index: matching process; whole match records */
    SECTION_TRANSFERS = 8, /* and what may be withdrawn; absent in version 2 */
    SECTION_SUMS = 9,      /* checksums of the parts; absent before there were any */
};
#define SECTION_BIT(kind) (1U << (kind))
#define SNAPSHOT_WHOLE    UINT32_MAX /* every kind of section */

/* What a snapshot is of. */
struct snapshot_info {
    u64 seq;     /* last command applied */
    u64 time_ns; /* its time */
    u64 account_seq;
    u64 match_seq[SNAPSHOT_MATCHING_MAX]; /* last made, per matching process */
    u32 matchings;
    u32 zero32;
    u64 checksum; /* of the state: replica_checksum */
};
SIZE_IS(struct snapshot_info, 152);

struct snapshot_section {
    u32 kind, index;
    u64 offset, stored; /* bytes in the file, block heads included */
    u64 raw;            /* bytes of the stream */
    u32 crc;            /* of the stored bytes */
    u32 zero32;
};
SIZE_IS(struct snapshot_section, 40);

/* Everything but the sections; manifest and trailer in one. */
struct snapshot_manifest {
    u64 magic;
    u32 version;
    u32 sections;
    u8 instance[LOGFILE_INSTANCE];
    struct snapshot_info info;
    struct snapshot_section section[SNAPSHOT_SECTIONS_MAX];
};

/* ---- Writing: create, then for each section begin and put, then finish or abort ---------------*/

struct snapshot_packer;

struct snapshot_writer {
    char dir[256], temporary[300];
    int fd;
    u64 at; /* bytes written */
    u64 filled;
    u8 *block, *packed;
    struct snapshot_manifest *manifest;
    struct snapshot_packer *packer; /* NULL: blocks are packed where they are put */
    void (*tick)(void *context);    /* may be set after create: called for every block */
    void *context;
};

/* `instance` as in struct logdir. 0 or -1. */
int snapshot_create(struct snapshot_writer *w, const char *dir, const u8 *instance);
/* From here on threads compress and write, and tell the disk early, while the caller collects;
 * one of them at a time calls `tick`. Before the first section. Without threads nothing changes. */
void snapshot_pack_beside(struct snapshot_writer *w);
int snapshot_begin(struct snapshot_writer *w, enum snapshot_section_kind kind, u32 index);
int snapshot_put(struct snapshot_writer *w, const void *data, u64 bytes);

/* Manifest, sync, name, sync the directory. *bytes (may be NULL) = size. Closes in any case. */
int snapshot_finish(struct snapshot_writer *w, const struct snapshot_info *info, u64 *bytes);
void snapshot_abort(struct snapshot_writer *w);

/* ---- Reading ----------------------------------------------------------------------------------*/

struct snapshot_reader {
    char path[320];
    int fd;
    struct snapshot_manifest *manifest;
    const struct snapshot_section *section; /* being read */
    u64 at, left;                           /* in the file; raw bytes left in the section */
    u64 given, filled;                      /* of `block` */
    u8 *block, *packed;
    void (*tick)(void *context); /* may be set after open: called for every block */
    void *context;
};

/* Open the snapshot of `seq` and check every checksum. -1 with err: file, offset, cause. */
int snapshot_open(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq);
/* The same, all checksums but those of the sections. */
int snapshot_glance(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq);
void snapshot_close(struct snapshot_reader *r);

/* What the snapshot of `seq` is of, by its manifest alone, which is checked. 0 or -1. */
int snapshot_peek(const char *dir, const u8 *instance, u64 seq, struct snapshot_info *info);

/* Stand at the beginning of a section. 1, or 0 if there is none. */
int snapshot_seek(struct snapshot_reader *r, enum snapshot_section_kind kind, u32 index);

/* Exactly `bytes` more of the section, or -1 with err. r->left tells how many there are. */
int snapshot_get(struct snapshot_reader *r, void *data, u64 bytes);

/* ---- The directory ----------------------------------------------------------------------------*/

/* Sequences of the snapshots, ascending, malloced; how many, or -1. No directory: 0. */
int snapshot_list(const char *dir, u64 **seqs);

/* Open the newest whole snapshot with sequence <= seq_most and, unless `need` is NULL, derived
 * sequences no larger than those in it. 1; 0 = there is none; -1. `tell` (may be NULL) hears
 * of each that had to be passed over. */
typedef void snapshot_damaged_fn(void *context, const char *why);
int snapshot_newest(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq_most,
                    const struct snapshot_info *need, snapshot_damaged_fn *tell, void *context);

/* The same for who reads only the kinds of sections in `kinds`, SECTION_BIT each: the others are
 * not checked. */
int snapshot_newest_of(struct snapshot_reader *r, const char *dir, const u8 *instance, u64 seq_most,
                       const struct snapshot_info *need, u32 kinds, snapshot_damaged_fn *tell,
                       void *context);

/* Remove what is older than the newest `keep` that can be read: a damaged one replaces none. */
int snapshot_retire(const char *dir, const u8 *instance, u32 keep);

/* Remove those of sequences beyond `seq`: of commands that are gone. What can not be read is left
 * where it is. How many, or -1. */
int snapshot_cut(const char *dir, const u8 *instance, u64 seq);

#endif
