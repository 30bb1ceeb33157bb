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

/* Append what is owed after the end of `to`, publishing as it goes. `wait` is called while its
 * readers leave no room. -1 with err: `to` holds more than was made. */
int owed_append(struct owed *o, const char *name, struct log_writer *to,
                void (*wait)(void *context), void *context);

#endif
