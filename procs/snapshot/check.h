/* check.h: does replay make the very records that the live processes made? The replica's account
 * and match records are held against the files, checksum by checksum, as soon as both are there.
 */
#ifndef EIDOS_PROCS_SNAPSHOT_CHECK_H
#define EIDOS_PROCS_SNAPSHOT_CHECK_H

#include "procs/lib/logfile.h"
#include "shm/durable.h"

/* One derived log. */
struct check_log {
    struct logfile_reader files;
    u32 log;
    u64 through; /* last record compared, or made before the replica began */
    u32 *crcs;   /* of the records made after that, a ring */
    u64 room;    /* a power of two, or 0 */
    u64 made;    /* last record made */
};

struct check {
    const struct durable *durable;
    u32 count;
    struct check_log logs[PROC_LOGS_MAX];
    u64 compared;
};

/* Add a log of which the replica has made `made` records so far. 0 or -1. */
int check_add(struct check *c, struct logdir *d, u32 log, u64 made);

/* Take a record the replica made. */
void check_made(struct check *c, u32 log, const struct rec *rec);

/* Compare what both have, up to `most` records of each log; returns how many, -1 with err when they
 * differ. */
i64 check_files(struct check *c, u32 most);

void check_close(struct check *c);

#endif
