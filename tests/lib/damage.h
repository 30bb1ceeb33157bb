/* damage.h: what disks, crashes and people do to the files of an instance, drawn by a seed.
 *
 *   instance  journal/mark  journal/LOG-FIRST.log (first, middle, last)  snapshots/SEQ.snap
 *      x bits, sectors and pages changed; cut, emptied, grown; gone, copied, swapped, renamed,
 * older; a folder, link, pipe or device in its place; not ours to read
 *
 * It knows the format of the files by itself (procs/lib/logfile.h), and uses
 * nothing of the code that reads and judges them.
 */
#ifndef EIDOS_TESTS_LIB_DAMAGE_H
#define EIDOS_TESTS_LIB_DAMAGE_H

#include "shm/record.h"
#include "shm/topo.h"

#define DAMAGE_PATH 400

struct damage {
    u64 seed;               /* of what is still to be drawn */
    const char *dir;        /* of the instance */
    const char *older;      /* a copy of it from before, or NULL */
    const char *kind;       /* what was done */
    char text[700];         /* the same with all particulars */
    char path[DAMAGE_PATH]; /* the file it was done to */
    bool as_other;          /* only shows to a user who is not root */
};

/* Do one kind of damage, drawn from d->seed, of which `nth` (any number) chooses the kind: equal
 * seeds do equal damage to equal directories. False when what was drawn does not apply there. */
bool damage_do(struct damage *d, u32 nth);

/* How many kinds there are, and the name of one. */
u32 damage_kinds(void);
const char *damage_name(u32 nth);

/* ---- The records of a log, as they stand in its files -----------------------------------------*/

struct damage_records {
    u8 *bytes; /* malloced, the records one after the other */
    u64 length;
    u64 *at; /* of record first + i; malloced */
    u64 first, count;
    bool broken; /* there is more that can not be read, or a gap */
};

/* Read `log` ("command") of the instance in `dir`, as far as its records follow each other. */
void damage_read(const char *dir, const char *log, struct damage_records *r);
void damage_free(struct damage_records *r);

/* Of the record `seq`, which it holds. */
const struct rec *damage_record(const struct damage_records *r, u64 seq);

#endif
