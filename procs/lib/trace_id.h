/* trace_id.h: the 128 bits that name a request from its arrival to its last fill.
 *
 *   traceparent: 00-<32 hex digits>-<16>-<2>   (W3C Trace Context)   those digits
 *   X-Request-Id: 32 hex digits or a UUID                            those digits
 *   X-Request-Id: any other text                                     a hash of it
 *   neither                                                          the gateway makes one up
 *
 * Case and dashes do not count. All zero is no id.
 */
#ifndef EIDOS_PROCS_LIB_TRACE_ID_H
#define EIDOS_PROCS_LIB_TRACE_ID_H

#include "shm/base.h"

#define TRACE_ID_TEXT 33 /* 32 digits and the end */

struct trace_id {
    u64 high, low;
};

/* Of the value of a traceparent header. False: malformed, or an all-zero id. */
bool trace_id_of_parent(const char *text, size_t length, struct trace_id *id);

/* Of any other text, not empty. */
struct trace_id trace_id_of(const char *text, size_t length);

/* 32 hex digits. */
void trace_id_format(struct trace_id id, char text[static TRACE_ID_TEXT]);

#endif
