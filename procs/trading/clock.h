/* clock.h: the time that commands are stamped with: never back, never far forward.
 *
 * It follows the wall clock while that runs beside the monotonic clock. A wall clock that goes back
 * is waited for. One that jumps forward by more than CLOCK_JUMP_NS is not believed: time goes on by
 * the monotonic clock, and the caller turns the exchange cancel-only until an operator who has
 * looked (`eidosctl mode normal`) makes it believe the wall clock again. Otherwise one bad NTP
 * answer would expire every order there is.
 */
#ifndef EIDOS_TRADING_CLOCK_H
#define EIDOS_TRADING_CLOCK_H

#include "shm/base.h"

#define CLOCK_JUMP_NS 10000000000UL /* 10 s; NTP steps of a healthy host are below 1 s */

struct trading_clock {
    u64 now_ns;  /* last time given */
    u64 mono_ns; /* when that was */
    bool jumped; /* the wall clock is not believed */
};

/* Begin: the last time the log holds, and both clocks now. A gap to the log is no jump: the
 * exchange was down. */
static inline void clock_begin(struct trading_clock *c, u64 last_ns, u64 wall_ns, u64 mono_ns)
{
    *c = (struct trading_clock){.now_ns = max_u64(last_ns, wall_ns), .mono_ns = mono_ns};
}

/* The time for this turn. */
static inline u64 clock_turn(struct trading_clock *c, u64 wall_ns, u64 mono_ns)
{
    u64 steady = c->now_ns + (mono_ns - c->mono_ns);
    if (wall_ns > steady + CLOCK_JUMP_NS) c->jumped = true;
    c->mono_ns = mono_ns;
    if (c->jumped) c->now_ns = steady;
    else c->now_ns = max_u64(c->now_ns, wall_ns);
    return c->now_ns;
}

/* Believe the wall clock again. */
static inline void clock_accept(struct trading_clock *c, u64 wall_ns)
{
    c->jumped = false;
    c->now_ns = max_u64(c->now_ns, wall_ns);
}

#endif
