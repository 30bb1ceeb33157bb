/* segment.h: all regions of one instance, and the boot record that lets anyone attach.
 *
 *   <dir>/run/boot         the boot record: written once by `eidosctl up`, read by everybody
 *   <dir>/run/lock         held by the supervisor as long as it lives
 *   <dir>/run/bell.api@0   FIFO that wakes a process which sits in epoll
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

/* An attached view, process-private. Large (0.2 MiB): not on a stack. */
struct segment {
    struct boot boot;
    struct topo topo;
    int self; /* index into topo.procs, or -1 for an onlooker */
    u32 copy; /* of its twin arenas: which one this process works in */
    struct region regions[TOPO_REGIONS_MAX]; /* head == NULL: not mapped */
};

enum segment_huge { SEGMENT_HUGE_AUTO, SEGMENT_HUGE_ON, SEGMENT_HUGE_OFF };

/* Where and how to make a segment. */
struct segment_place {
    const char *dir;      /* the instance's; made if missing */
    const char *shm_dir;  /* a tmpfs, for small regions and when there are no hugepages */
    const char *huge_dir; /* a hugetlbfs with 2 MiB pages; may be NULL */
    enum segment_huge huge;
    const char *build; /* version and commit, for the boot record */
};

/* Make the directories, every region, formatted and empty, and last the boot record; the caller is
 * the supervisor from here to its end. Replaces a segment whose supervisor and processes are dead;
 * refuses one that lives. `warning` receives why an arena is on tmpfs though hugepages were wanted,
 * what that costs and the remedy, or "". State regions (ledger, orders, rules, books, market) are
 * zero with an odd epoch: their owners format them, between region_rebuild and region_ready. */
int segment_create(const struct segment_place *place, const struct topo_params *params,
                   char *warning, size_t warning_size);

/* Before any process runs: tell in "durable" what is known to be on disk, so that nobody needs to
 * wait for the journal to find it again. `written`: the last record in the files of each of `logs`
 * logs, by LOG_* index; the first are commands, synced. `told`: those that may be told of. */
int segment_set_durable(const struct segment *s, const u64 *written, u32 logs, u64 told);

/* Read <dir>/run/boot. -1: there is none (not running), or it is not one. */
int segment_boot(const char *dir, struct boot *boot);

/* Does the supervisor that made it live? */
bool segment_is_alive(const struct boot *boot);

/* Map what `role`/`instance` may see. Reads <dir>/run/boot; refuses another build's layout and says
 * which field of which structure differs. ROLE_COUNT = an onlooker: everything, read-only. */
int segment_attach(struct segment *s, const char *dir, u32 role, u32 instance);

void segment_detach(struct segment *s);

/* Seal all mappings for the life of the process: they can no longer be unmapped, moved or made
 * writable; but not what a standby makes writable later: call it again then. False where the kernel
 * cannot (before Linux 6.10). */
bool segment_seal(const struct segment *s);

/* Remove the regions and the boot record of a dead instance. Refuses while its supervisor, if that
 * is another process, or any of its processes lives. */
int segment_delete(const char *dir);

/* A standby, once its primary has exited: make what the role owns writable, and be the role's
 * process from here on (`self`). -1 with err; then it must end. */
int segment_take_over(struct segment *s);

/* Of arenas that exist twice the one whose content counts is named in the block of the role. Its
 * holder says (release) that it is its own copy. */
void segment_show_copy(const struct segment *s);

/* By name of process or region; CHECK that it exists and is mapped. Of a region with two copies:
 * for primary and standby their own; for everybody else the one that counts at this moment. */
struct proc_block *segment_proc(const struct segment *s, u32 role, u32 instance);
struct region *segment_region(struct segment *s, const char *name);
void *segment_object(const struct segment *s, const char *region_name);

/* The port on which /health and /metrics of a process are served; 0 = none (yet). */
u32 segment_ops_port(const struct segment *s, u32 proc);

/* The bells of processes that sit in epoll are FIFOs in <dir>/run. Opens those that this process
 * may have to ring, its own included: bells[proc index] = fd, or -1. */
int segment_bells_open(const struct segment *s, int bells[static TOPO_PROCS_MAX]);

/* Wire up ends: joins the ring or log and adds the watchers and gates that the topology says, so
 * that a publish wakes who reads. `bells` as above, or NULL. CHECK that the end is this process's,
 * except that an onlooker may read any log. A gating reader goes on at its cursor, any other stands
 * at the head; log_seek moves both. */
void segment_ring_tx(const struct segment *s, u32 to_role, u32 to, const int *bells,
                     struct ring_tx *tx);
void segment_ring_rx(const struct segment *s, u32 from_role, u32 from, struct ring_rx *rx);
void segment_log_writer(const struct segment *s, const char *name, const int *bells,
                        struct log_writer *w);
void segment_log_reader(const struct segment *s, const char *name, struct log_reader *r);

/* Who sleeps on a word of this process that is neither ring nor log: durable.seq, market_head. */
void segment_watch(const struct segment *s, const char *region_name, const int *bells,
                   struct watch *w);

/* Everything this process sleeps on, and its flag. */
void segment_waiter(const struct segment *s, struct waiter *w);

#endif
