/* metrics_text.h: the numbers of metrics.def as text: Prometheus exposition, and their reference.
 *
 * A program shows what it can see: every process block, and the rings and logs that it maps. An
 * onlooker (the supervisor's ops port, eidosctl) sees all of them.
 */
#ifndef EIDOS_PROCS_LIB_METRICS_TEXT_H
#define EIDOS_PROCS_LIB_METRICS_TEXT_H

#include "shm/metrics.h"
#include "shm/segment.h"

#define METRICS_ALL        (-1)
#define METRICS_TEXT_BYTES (1UL << 20) /* enough for every process there can be */

/* Prometheus text (version 0.0.4) of process `proc`, an index in the topology, or METRICS_ALL.
 * `now_ns` is CLOCK_MONOTONIC. Returns the length, or -1 if it does not fit. */
int metrics_text(const struct segment *s, int proc, u64 now_ns, char *out, size_t size);

/* docs/metrics.md. */
void metrics_reference(FILE *out);

/* "counter", "gauge" or "histogram". */
const char *metrics_type_name(u32 type);

#endif
