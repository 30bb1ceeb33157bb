/* logfile_inside.h: what the files of logfile share among themselves. */
#ifndef EIDOS_PROCS_LIB_LOGFILE_INSIDE_H
#define EIDOS_PROCS_LIB_LOGFILE_INSIDE_H

#include "procs/lib/logfile.h"

/* Fill r->fault and the error text; returns `status`. */
enum logfile_status logfile_fault(struct logfile_reader *r, enum logfile_status status,
                                  const char *cause, const char *remedy);

/* What to do about damage in this log. */
const char *logfile_remedy(u32 log);

/* At most `bytes` (up to 64 KiB) of the current file at offset `at`, through the buffer: returns
 * how many there are. *p is valid until the next call, aligned like `at`. */
u64 logfile_view(struct logfile_reader *r, u64 at, u64 bytes, const u8 **p);

/* The place r->offset does not hold the record r->seq + 1: `cause`, or NULL when there are only
 * zeros or no file. Is that the end, a torn tail, or damage? Fills the fault. */
enum logfile_status logfile_judge(struct logfile_reader *r, const char *cause);

/* Does a whole record-shaped thing with seq 0 really begin a batch? */
static inline bool logfile_is_batch(const struct logfile_batch *batch)
{
    return !batch->zero_seq && batch->kind == LOGFILE_BATCH_KIND && batch->version == 1 &&
           batch->length == sizeof *batch;
}

#endif
