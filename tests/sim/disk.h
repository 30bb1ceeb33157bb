/* disk.h: a disk that can lose what was not synced.
 *
 *   production code --open, pwritev, fdatasync, rename...--> hooks --> real files in a tmpfs
 *                                                              |
 *                        per file: which 512-byte sectors changed since the last sync, and what
 *                        they held before; per directory: renames and removals not yet synced
 *
 * The hooks are this program's own definitions of those libc functions, so that journal, mark,
 * snapshots and recovery are watched alike. A crash puts back any of the unsynced sectors and the
 * last of the unsynced directory changes. A failed sync leaves its sectors in limbo: they read
 * well, and a later sync that succeeds does not save them (as Linux does it).
 */
#ifndef EIDOS_TESTS_SIM_DISK_H
#define EIDOS_TESTS_SIM_DISK_H

#include "shm/base.h"

#define DISK_OWNERS 16U

enum disk_call { DISK_WRITE, DISK_SYNC, DISK_NAME };

/* Called before each call that changes something lasting. It may not return. */
typedef void disk_before_fn(void *context, u32 owner, enum disk_call call);

struct disk_faults {
    bool full;      /* nothing can be reserved, no file can grow */
    bool full_hard; /* and nothing can be written either */
    bool sync_lies; /* seeded bug: says yes and does nothing */
    bool mark_lost; /* seeded bug: the journal's mark is never written */
    u32 fail_write; /* the n-th write from now fails, 0 = none */
    u32 fail_short; /* the n-th write from now is cut short */
    u32 fail_sync;  /* the n-th sync from now fails */
};

/* Watch everything below `dir`, an absolute path; hidden copies go to `trash`. */
void disk_begin(const char *dir, const char *trash, disk_before_fn *before, void *context);

/* Whose calls these are from here on; returns who it was. Faults hit `victim` only. */
u32 disk_enter(u32 owner);
void disk_set_victim(u32 owner);
struct disk_faults *disk_faults(void);
u64 disk_injected(void); /* how many faults were injected so far */

/* The owner died: the kernel closes its files and takes back what it mapped. Owner 0 maps for good.
 */
void disk_kill(u32 owner);

/* Power failed. */
void disk_crash(u64 random);

#endif
