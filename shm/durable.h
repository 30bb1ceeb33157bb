/* durable.h: how far the logs are on disk. Written by the journal only. */
#ifndef EIDOS_SHM_DURABLE_H
#define EIDOS_SHM_DURABLE_H

#include "shm/base.h"
#include "shm/proc.h"

#define DURABLE_MAGIC 0x31525544534445UL

struct durable {
    u64 magic;
    u8 zero[56];
    /* Every command through this sequence survives the machine. Stored with release after the sync;
     * a futex word (low half) for those who wait to answer. */
    alignas(CACHE_LINE) _Atomic u64 seq;
    u8 zero2[56];
    /* Last sequence written (not necessarily synced) for each log, by LOG_* index. */
    alignas(CACHE_LINE) _Atomic u64 written[PROC_LOGS_MAX];
    _Atomic u64 low_disk; /* 1 = space is short, trading turns cancel-only */
    u8 zero3[56];
};

#endif
