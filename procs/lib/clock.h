/* clock.h: the two clocks, in nanoseconds. For shells only: state machines never read one. */
#ifndef EIDOS_PROCS_LIB_CLOCK_H
#define EIDOS_PROCS_LIB_CLOCK_H

#include <time.h>

#include "shm/base.h"

static inline u64 clock_read(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* Since the start of this host, never back; the same for all processes. About 25 ns. */
static inline u64 clock_mono(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Unix time; may jump. */
static inline u64 clock_unix(void)
{
    return clock_read(CLOCK_REALTIME);
}

#endif
