/* segment.h: all regions of one instance, and the boot record that lets anyone attach.
 *
 *   <dir>/run/boot         the boot record: written once by `eidosctl up`, read by everybody
 *   <shm_dir>/eidos-XXXX/  regions on tmpfs          (XXXX: a hash of <dir>)
 *   <huge_dir>/eidos-XXXX/ regions on hugetlbfs
 *
 * A process maps only what the topology lets its role see, writable only what it owns.
 */
#ifndef EIDOS_SHM_SEGMENT_H
#define EIDOS_SHM_SEGMENT_H

#include "shm/durable.h"
#include "shm/log.h"
#include "shm/proc.h"
#include "shm/region.h"
#include "shm/ring.h"
#include "shm/topo.h"

#define BOOT_MAGIC   0x31544f4f42534445UL
#define BOOT_VERSION 1

/* Frozen: a newer eidosctl must be able to read an older one. Fields are only ever appended. */
struct boot {
    u64 magic;
    u32 version;
    u32 size; /* of this structure as written */
    u64 created_ns;
    u32 supervisor_pid;
    u32 zero32;
    u64 supervisor_start; /* ticks, as in proc_block */
    u64 topo_hash;        /* of the expanded topology */
    char build[48];       /* version and commit */
    char dir[256];        /* absolute */
    char shm_dir[256];    /* absolute, of this instance */
    char huge_dir[256];   /* absolute, of this instance; "" = no hugepages */
    struct topo_params params;
};

/* An attached view, process-private. */
struct segment {
    struct boot boot;
    struct topo topo;
    int self;                                /* index into topo.procs, or -1 for an onlooker */
    struct region regions[TOPO_REGIONS_MAX]; /* head == NULL: not mapped */
};

enum segment_huge { HUGE_AUTO, HUGE_ON, HUGE_OFF };

/* Make the directories, every region, formatted and empty, and last the boot record. Replaces a
 * segment whose supervisor is dead; refuses one that lives. `warning` (may be NULL) receives why an
 * arena is on tmpfs though hugepages were wanted, or "". `shm_dir`, `huge_dir` are mount points. */
int segment_create(const char *dir, const char *shm_dir, const char *huge_dir,
                   enum segment_huge huge, const struct topo_params *params, const char *build,
                   char *warning, size_t warning_size);

/* Map what `role`/`instance` may see. Reads <dir>/run/boot; refuses another build's layout and says
 * which field of which structure differs. ROLE_COUNT = an onlooker: everything, read-only. */
int segment_attach(struct segment *s, const char *dir, u32 role, u32 instance);

void segment_detach(struct segment *s);

/* Remove the regions and the boot record of a dead instance. */
int segment_delete(const char *dir);

/* Objects by name of their process or region; CHECK that they are mapped. */
struct proc_block *segment_proc(const struct segment *s, u32 role, u32 instance);
void *segment_object(const struct segment *s, const char *region_name);

/* Wire up ends: joins the ring or log and adds the watchers and gates that the topology says, so
 * that a publish wakes who reads. `bells`: fd of each process's FIFO by proc index, -1 = none. */
int segment_ring_tx(const struct segment *s, u32 to_role, u32 to, const int *bells,
                    struct ring_tx *tx);
int segment_ring_rx(const struct segment *s, u32 from_role, u32 from, struct ring_rx *rx);
int segment_log_writer(const struct segment *s, const char *name, const int *bells,
                       struct log_writer *w);
int segment_log_reader(const struct segment *s, const char *name, struct log_reader *r);

#endif
