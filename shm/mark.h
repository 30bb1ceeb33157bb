/* mark.h: checksums at marked sequences, by which a standby finds out that it differs.
 *
 *   commands    ... 1023 1024 | 1025 ...... 2047 2048 | 2049 ...
 *                             mark 1024                 mark 2048
 *
 * A mark is made when command s + 1 is about to be applied, s a multiple of MARK_EVERY: then all
 * that follows from s has been done. It folds the checksums of every record that the machine
 * derived since the mark before, and a slice of its state; the slice moves on from mark to mark, so
 * that the whole passes by and no command waits for more than a slice.
 *
 * The primary publishes its marks in the role's block after the logs they belong to; the last
 * PROC_MARKS of them are held there.
 */
#ifndef EIDOS_SHM_MARK_H
#define EIDOS_SHM_MARK_H

#include "shm/log.h"
#include "shm/proc.h"

#define MARK_EVERY 1024U

/* A machine's own: process-private. */
struct mark {
    bool wanted; /* a machine that only replays makes none */
    u64 since;   /* the command after which the fold of records began */
    u64 seq;     /* of the last whole mark, 0 = none yet */
    u64 sum;
};

static inline bool mark_is_due(const struct mark *m, u64 next_seq)
{
    return UNLIKELY(m->wanted && (next_seq - 1) % MARK_EVERY == 0 && next_seq > 1);
}

static inline u64 mark_mix(u64 h, u64 value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15UL;
    return h ^ h >> 32;
}

/* Begin to make marks: what `derived` gets from here on follows from commands after `seq`. */
void mark_begin(struct mark *m, struct log_writer *derived, u64 seq);

/* Make the mark of `seq`; `slice` is the checksum of the slice of its turn. The first one after
 * mark_begin does not cover all records of its span, and is none. */
void mark_make(struct mark *m, struct log_writer *derived, u64 seq, u64 slice);

/* Primary: show the last mark, if it is not shown yet, after what it covers is published. */
void mark_show(struct proc_block *p, const struct mark *m);

/* Any process: the sum the primary showed for `seq`. False: none, or no longer held. */
bool mark_read(const struct proc_block *p, u64 seq, u64 *sum);

/* A standby's own marks, each of which waits for its like: either may be ahead of the other. Zeroed
 * it is empty. */
struct mark_check {
    u64 noted;   /* the last own mark that came in */
    u64 checked; /* the last command after which both were equal */
    struct {
        u64 seq, sum; /* seq 0: compared, or none */
    } held[PROC_MARKS];
};

void mark_note(struct mark_check *c, const struct mark *m);

/* Compare with what the primary shows. 0, or the command after which they differ. */
u64 mark_compare(struct mark_check *c, const struct proc_block *primary);

#endif
