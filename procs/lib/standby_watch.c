#include "procs/lib/standby.h"

void standby_watch_begin(struct standby_watch *w, u64 now_ns)
{
    *w = (struct standby_watch){.stage = STANDBY_TAILING, .tick_ns = now_ns};
}

/* One beat's time is over: was there one? */
static void count_beat(struct standby_watch *w, u64 now_ns, u64 beat_ns, bool holder_is_ready)
{
    bool was_late = now_ns - w->tick_ns >= HEARTBEAT_NS + STANDBY_LATE_NS;
    bool is_missed = holder_is_ready && !was_late && beat_ns == w->beat_ns;
    w->missed = is_missed ? w->missed + 1 : 0;
    w->stage = w->missed ? STANDBY_SUSPECTING : STANDBY_TAILING;
    w->tick_ns = now_ns;
    w->beat_ns = beat_ns;
}

enum standby_act standby_watch_look(struct standby_watch *w, u64 now_ns, u64 beat_ns,
                                    bool holder_is_ready, bool holder_has_exited)
{
    if (holder_has_exited) {
        w->stage = STANDBY_TAKING;
        return STANDBY_TAKE;
    }
    if (w->stage == STANDBY_WAITING || now_ns - w->tick_ns < HEARTBEAT_NS) return STANDBY_GO_ON;
    count_beat(w, now_ns, beat_ns, holder_is_ready);
    if (w->missed < STANDBY_MISSED) return STANDBY_GO_ON;
    w->stage = STANDBY_WAITING;
    return STANDBY_KILL;
}
