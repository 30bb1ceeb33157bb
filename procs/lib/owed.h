/* owed.h: what a standby has made and its primary does not yet show to have published.
 *
 *   machine --log_writer--> [ ........ owed ........ ] --owed_append--> the role's log, at a
 * takeover ^ owed_drop: through this number the primary has published
 *
 * A log over private memory, so that the machine writes to it as it will write to the real one.
 */
#ifndef EIDOS_PROCS_LIB_OWED_H
#define EIDOS_PROCS_LIB_OWED_H

#include "shm/log.h"

struct owed {
    struct log_writer writer; /* of the machine */
    struct log_reader reader;
    _Atomic u64 cursor;
    struct log *log;
    u64 bytes;
};

/* `capacity` as for log_footprint; nothing is owed. 0 or -1. */
int owed_open(struct owed *o, u64 capacity);
void owed_close(struct owed *o);

/* Take a record that was made elsewhere, as it is; the first one may have any number. -1 with err:
 * there is no room. */
int owed_take(struct owed *o, const struct rec *rec);

/* The next record will have number `seq` + 1, unless there is one already. */
void owed_go_on(struct owed *o, u64 seq);

/* The oldest record that is owed, or NULL; and step over it. */
const struct rec *owed_peek(struct owed *o);
void owed_pop(struct owed *o, const struct rec *rec);

/* Records through `seq` are no longer owed. */
void owed_drop(struct owed *o, u64 seq);

/* Waits a little, for readers that leave no room in a log. */
struct owed_wait {
    void (*wait)(void *context);
    void *context;
};

/* Append what is owed after the end of `to`, `most` records, publishing as it goes. What `to` has
 * and was not made yet is left to be made. -1 with err: a gap. */
int owed_append(struct owed *o, const char *name, struct log_writer *to, u32 most,
                const struct owed_wait *wait);

/* All is made and appended: `to` goes on with it, also with the fold of its checksums. -1 with err:
 * it holds more than was made. */
int owed_done(struct owed *o, const char *name, struct log_writer *to);

#endif
