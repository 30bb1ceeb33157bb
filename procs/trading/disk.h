/* disk.h: the mode follows the journal's disk.
 *
 *   durable.low_disk   0 ------------> 1 ----------------------> 0
 *   mode               normal          cancel-only, by the disk  normal again
 *
 * Only what the disk brought about ends with it: the record and the state carry the reason, so that
 * this holds over a restart too, and replay needs no disk.
 */
#ifndef EIDOS_TRADING_DISK_H
#define EIDOS_TRADING_DISK_H

#include "shm/msg.h"
#include "shm/rules.h"

/* Does the disk hold the exchange cancel-only? */
static inline bool disk_holds(const struct rules *r)
{
    return r->mode == MODE_CANCEL_ONLY && r->mode_reason == MODE_BY_DISK;
}

/* Is there a switch to log, now that the disk is `low`? Fills m. */
static inline bool disk_switches(const struct rules *r, bool low, struct msg_mode *m)
{
    if (low ? r->mode != MODE_NORMAL : !disk_holds(r)) return false;
    *m = (struct msg_mode){
        .market = NO_MARKET, .mode = low ? MODE_CANCEL_ONLY : MODE_NORMAL, .reason = MODE_BY_DISK};
    return true;
}

#endif
