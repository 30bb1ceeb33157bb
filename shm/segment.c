#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"
#include "shm/guard.h"
#include "shm/limits.h"
#include "shm/segment_files.h"
#include "shm/trace.h"

/* --- Attaching ---------------------------------------------------------------------------------
 */

/* Which of two copies is region `i`? */
static u32 copy_of(const struct topo *t, u32 i)
{
    return t->regions[i].twin < i;
}

static struct region_spec spec_of(const struct topo *t, u32 i)
{
    const struct topo_region *r = &t->regions[i];
    const struct topo_proc *owner = &t->procs[r->owner];
    return (struct region_spec){.name = r->name,
                                .kind = r->kind,
                                .owner_role = owner->role,
                                .owner_instance = owner->instance,
                                .object_bytes = r->object_bytes,
                                .arena = r->arena,
                                .for_later = r->twin != NO_INSTANCE && !copy_of(t, i)};
}

static int build_topo(struct segment *s, const char *dir)
{
    if (topo_build(&s->topo, &s->boot.params)) return err_wrap("%s/run/boot", dir);
    if (topo_hash(&s->topo) != s->boot.topo_hash)
        return err_set("%s was started by build %.*s, whose regions differ in name, size or reader "
                       "from this program's; use that build, or stop it and start it with this one",
                       dir, (int)sizeof s->boot.build, s->boot.build);
    return 0;
}

/* What is mapped is touched at once, so that nobody waits for pages later. Not so arenas on
 * ordinary pages: there are too many, and not all will be used; nor a twin by who only looks at it,
 * for that of a standby comes later. */
static bool wants_prefault(const struct segment *s, u32 i, enum topo_access right, bool huge)
{
    const struct topo_region *r = &s->topo.regions[i];
    if (s->self < 0 || (right == TOPO_READ && r->twin != NO_INSTANCE)) return false;
    return huge || !r->arena || r->kind == REGION_LOG;
}

static int map_region(struct segment *s, u32 i, enum topo_access right)
{
    struct region_spec spec = spec_of(&s->topo, i);
    char path[REGION_PATH_BYTES];
    bool huge = spec.arena && s->boot.huge_dir[0];
    if (huge) segment_path(path, s->boot.huge_dir, spec.name);
    huge = huge && access(path, F_OK) == 0;
    if (!huge) segment_path(path, s->boot.shm_dir, spec.name);
    u32 flags = wants_prefault(s, i, right, huge) ? REGION_PREFAULT : 0;
    if (right == TOPO_WRITE || right == TOPO_TWIN) flags |= REGION_WRITE;
    if (right == TOPO_LATER) flags |= REGION_LATER;
    return region_map(&s->regions[i], path, &spec, flags);
}

static const struct proc_block *block_of_owner(const struct segment *s, u32 i);

/* Of a region with two copies each process of the role maps one only: not the one that counts,
 * which is the state of a primary, alive or just dead, that others may be reading. Their blocks are
 * the first regions, so they are mapped. */
static void choose_copy(struct segment *s)
{
    for (u32 i = 0; i < s->topo.region_count; i++)
        if (topo_access(&s->topo, i, s->self) == TOPO_TWIN) {
            const struct proc_block *block = block_of_owner(s, i);
            s->copy = !atomic_load_explicit(&block->copy, memory_order_acquire);
            return;
        }
}

/* Map region `i`, if this process may see it. */
static int attach_region(struct segment *s, u32 i)
{
    enum topo_access right = topo_access(&s->topo, i, s->self);
    if (i && s->topo.regions[i - 1].kind == REGION_PROC && s->topo.regions[i].kind != REGION_PROC)
        choose_copy(s);
    if (right == TOPO_NONE || (right == TOPO_TWIN && copy_of(&s->topo, i) != s->copy)) return 0;
    return map_region(s, i, right);
}

int segment_attach(struct segment *s, const char *dir, u32 role, u32 instance)
{
    memset(s, 0, sizeof *s);
    s->self = -1;
    if (segment_boot(dir, &s->boot) || build_topo(s, dir)) return -1;
    if (role != ROLE_COUNT) {
        s->self = topo_proc(&s->topo, role, instance);
        if (s->self < 0)
            return err_set("%s has no process %s@%u; see its numbers of workers", dir,
                           role_name(role), instance);
    }
    for (u32 i = 0; i < s->topo.region_count; i++) {
        if (attach_region(s, i) == 0) continue;
        segment_detach(s);
        return err_wrap("attaching to %s", dir);
    }
    return 0;
}

void segment_detach(struct segment *s)
{
    for (u32 i = 0; i < s->topo.region_count; i++) region_unmap(&s->regions[i]);
}

bool segment_seal(const struct segment *s)
{
    bool sealed = true;
    for (u32 i = 0; i < s->topo.region_count; i++)
        if (s->regions[i].head && !s->regions[i].later) sealed &= region_seal(&s->regions[i]);
    return sealed;
}

/* --- Finding -----------------------------------------------------------------------------------
 */

static const struct region *mapped(const struct segment *s, const char *name)
{
    int i = topo_region(&s->topo, name);
    CHECK(i >= 0);
    u32 twin = s->topo.regions[i].twin;
    if (twin != NO_INSTANCE) {
        const struct proc_block *block = block_of_owner(s, (u32)i);
        bool own = topo_access(&s->topo, (u32)i, s->self) == TOPO_TWIN;
        u32 copy = own ? s->copy : atomic_load_explicit(&block->copy, memory_order_acquire);
        if (copy) i = (int)twin;
    }
    CHECK(s->regions[i].head);
    return &s->regions[i];
}

struct region *segment_region(struct segment *s, const char *name)
{
    return &s->regions[mapped(s, name) - s->regions];
}

void *segment_object(const struct segment *s, const char *region_name)
{
    return mapped(s, region_name)->object;
}

static struct proc_block *block_of(const struct segment *s, u32 proc)
{
    char name[REGION_NAME_BYTES];
    snprintf(name, sizeof name, "proc.%s", s->topo.procs[proc].name);
    return proc_join(segment_object(s, name));
}

static const struct proc_block *block_of_owner(const struct segment *s, u32 i)
{
    return block_of(s, s->topo.regions[i].owner);
}

void segment_show_copy(const struct segment *s)
{
    CHECK(s->self >= 0);
    atomic_store_explicit(&block_of(s, (u32)s->self)->copy, s->copy, memory_order_release);
}

int segment_take_over(struct segment *s)
{
    CHECK(s->self >= 0 && role_is_standby(s->topo.procs[s->self].role));
    for (u32 i = 0; i < s->topo.region_count; i++)
        if (s->regions[i].later && region_become_writable(&s->regions[i])) return -1;
    const struct topo_proc *standby = &s->topo.procs[s->self];
    s->self = topo_proc(&s->topo, role_of_standby(standby->role), standby->instance);
    return 0;
}

struct proc_block *segment_proc(const struct segment *s, u32 role, u32 instance)
{
    int i = topo_proc(&s->topo, role, instance);
    CHECK(i >= 0);
    return block_of(s, (u32)i);
}

u32 segment_ops_port(const struct segment *s, u32 proc)
{
    u32 own = atomic_load_explicit(&block_of(s, proc)->ops_port, memory_order_acquire);
    const struct proc_block *ops = segment_proc(s, ROLE_OPS, 0);
    return own ? own : atomic_load_explicit(&ops->served_ports[proc], memory_order_acquire);
}

/* --- Wiring ------------------------------------------------------------------------------------
 */

/* The word of a region on which others sleep, or NULL. Only the owner may store to it. */
static _Atomic u64 *head_of(const struct segment *s, u32 i)
{
    void *object = s->regions[i].object;
    switch (s->topo.regions[i].kind) {
    case REGION_RING: return &((struct ring *)object)->head;
    case REGION_LOG: return &((struct log *)object)->head;
    case REGION_DURABLE: return &((struct durable *)object)->seq;
    case REGION_MARKET: {
        const void *head = market_head(object);
        return (void *)((u8 *)object + ((const u8 *)head - (const u8 *)object));
    }
    default: return NULL;
    }
}

static void add_watchers(const struct segment *s, u32 i, const int *bells, struct watch *w)
{
    for (u32 p = 0; p < s->topo.proc_count; p++)
        if (s->topo.regions[i].sleepers >> p & 1)
            CHECK(watch_add(w, &block_of(s, p)->sleeping, bells ? bells[p] : -1) == 0);
}

/* Index of the ring between this process and another, from it or to it. */
static u32 own_ring(const struct segment *s, u32 role, u32 instance, bool from_self)
{
    CHECK(s->self >= 0);
    const struct topo_proc *self = &s->topo.procs[s->self];
    int i = from_self ? topo_ring(&s->topo, self->role, self->instance, role, instance)
                      : topo_ring(&s->topo, role, instance, self->role, self->instance);
    CHECK(i >= 0);
    return (u32)i;
}

void segment_ring_tx(const struct segment *s, u32 to_role, u32 to, const int *bells,
                     struct ring_tx *tx)
{
    u32 i = own_ring(s, to_role, to, true);
    const struct topo_region *r = &s->topo.regions[i];
    ring_join_tx(tx, s->regions[i].object, &block_of(s, r->consumer)->ring_tail[r->input]);
    add_watchers(s, i, bells, &tx->watch);
}

void segment_ring_rx(const struct segment *s, u32 from_role, u32 from, struct ring_rx *rx)
{
    u32 i = own_ring(s, from_role, from, false);
    const struct topo_region *r = &s->topo.regions[i];
    ring_join_rx(rx, s->regions[i].object, &block_of(s, r->consumer)->ring_tail[r->input]);
}

void segment_log_writer(const struct segment *s, const char *name, const int *bells,
                        struct log_writer *w)
{
    const struct region *region = mapped(s, name);
    u32 i = (u32)(region - s->regions);
    const struct topo_region *r = &s->topo.regions[i];
    CHECK(region->writable && r->kind == REGION_LOG);
    log_join_writer(w, region->object);
    for (u32 p = 0; p < s->topo.proc_count; p++)
        if (r->gates >> p & 1) CHECK(log_add_gate(w, &block_of(s, p)->log_cursor[r->log]) == 0);
    add_watchers(s, i, bells, &w->watch);
}

void segment_log_reader(const struct segment *s, const char *name, struct log_reader *r)
{
    const struct region *region = mapped(s, name);
    const struct topo_region *t = &s->topo.regions[region - s->regions];
    CHECK(t->kind == REGION_LOG);
    if (s->self < 0) {
        log_join_reader(r, region->object);
        return;
    }
    struct proc_block *self = block_of(s, (u32)s->self);
    if (t->gates >> s->self & 1) log_join_gate(r, region->object, &self->log_cursor[t->log]);
    else log_join_reader(r, region->object);
    r->seq_shown = &self->log_seq[t->log];
}

void segment_watch(const struct segment *s, const char *region_name, const int *bells,
                   struct watch *w)
{
    const struct region *region = mapped(s, region_name);
    u32 i = (u32)(region - s->regions);
    CHECK(region->writable && head_of(s, i));
    *w = (struct watch){.head = head_of(s, i)};
    add_watchers(s, i, bells, w);
}

void segment_waiter(const struct segment *s, struct waiter *w)
{
    CHECK(s->self >= 0);
    *w = (struct waiter){.sleeping = &block_of(s, (u32)s->self)->sleeping};
    for (u32 i = 0; i < s->topo.region_count; i++)
        if (s->topo.regions[i].sleepers >> s->self & 1) {
            CHECK(head_of(s, i));
            CHECK(waiter_add(w, head_of(s, i)) == 0);
        }
}

/* Is there anything that `proc` sleeps on and we write, or will? */
static bool may_ring(const struct segment *s, u32 proc)
{
    for (u32 i = 0; i < s->topo.region_count; i++) {
        enum topo_access right = topo_access(&s->topo, i, s->self);
        bool writes = right == TOPO_WRITE || right == TOPO_LATER;
        if (writes && s->topo.regions[i].sleepers >> proc & 1) return true;
    }
    return false;
}

int segment_bells_open(const struct segment *s, int bells[static TOPO_PROCS_MAX])
{
    CHECK(s->self >= 0);
    for (u32 p = 0; p < TOPO_PROCS_MAX; p++) bells[p] = -1;
    for (u32 p = 0; p < s->topo.proc_count; p++) {
        if (s->topo.procs[p].role != ROLE_API || !(p == (u32)s->self || may_ring(s, p))) continue;
        char path[REGION_PATH_BYTES];
        snprintf(path, sizeof path, "%s/run/bell.%s", s->boot.dir, s->topo.procs[p].name);
        if (mkfifo(path, 0660) && errno != EEXIST) return err_sys("making the bell %s", path);
        bells[p] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (bells[p] < 0) return err_sys("opening the bell %s", path);
    }
    return 0;
}

/* --- Making ------------------------------------------------------------------------------------
 */

static void format(const struct topo *t, u32 i, struct region *region)
{
    const struct topo_region *r = &t->regions[i];
    switch (r->kind) {
    case REGION_PROC:
        proc_new(region->object, t->procs[r->owner].role, t->procs[r->owner].instance);
        struct proc_block *block = proc_join(region->object);
        for (u32 k = 0; k < t->region_count; k++) /* a gate holds from the very first record */
            if (t->regions[k].gates >> r->owner & 1)
                atomic_store_explicit(&block->log_cursor[t->regions[k].log], 0,
                                      memory_order_relaxed);
        break;
    case REGION_RING: ring_new(region->object, t->params.ring_bytes); break;
    case REGION_LOG:
        log_new(region->object,
                r->log == LOG_COMMAND   ? t->params.command_bytes
                : r->log == LOG_ACCOUNT ? t->params.account_bytes
                                        : t->params.match_bytes,
                0);
        break;
    case REGION_DURABLE: durable_new(region->object); break;
    case REGION_TRACE: trace_new(region->object, t->params.trace_entries); break;
    case REGION_GUARD: guard_new(region->object, GUARD_SLOTS); break;
    case REGION_LIMITS: limits_new(region->object); break;
    default: return; /* formatted by the owner */
    }
    region_ready(region);
}

/* One region, on hugepages if there are enough; *missing counts the pages that were not there. */
static int create_region(const struct boot *boot, const struct topo *t, u32 i, u64 *missing)
{
    struct region_spec spec = spec_of(t, i);
    struct region region;
    char path[REGION_PATH_BYTES];
    bool made = false;
    if (spec.arena && boot->huge_dir[0]) {
        segment_path(path, boot->huge_dir, spec.name);
        made = region_create(&region, path, &spec, true) == 0;
        if (!made) *missing += region_bytes(spec.object_bytes, true) / HUGE_PAGE;
    }
    if (!made) {
        segment_path(path, boot->shm_dir, spec.name);
        if (region_create(&region, path, &spec, false)) return -1;
    }
    format(t, i, &region);
    region_unmap(&region);
    return 0;
}

static u64 pages_wanted(const struct topo *t)
{
    u64 pages = 0;
    for (u32 i = 0; i < t->region_count; i++)
        if (t->regions[i].arena)
            pages += region_bytes(t->regions[i].object_bytes, true) / HUGE_PAGE;
    return pages;
}

/* What standbys will take when they come must be free now: else it goes without them. */
static int check_later(const struct boot *boot, const struct topo *t)
{
    struct statvfs fs;
    u64 need = 0;
    for (u32 i = 0; i < t->region_count; i++) {
        struct region_spec spec = spec_of(t, i);
        char path[REGION_PATH_BYTES];
        segment_path(path, boot->shm_dir, spec.name);
        if (spec.for_later && access(path, F_OK) == 0) need += region_bytes(spec.object_bytes, 0);
    }
    if (!need) return 0;
    if (statvfs(boot->shm_dir, &fs)) return err_sys("%s", boot->shm_dir);
    u64 free_bytes = fs.f_bavail * fs.f_frsize;
    if (need <= free_bytes) return 0;
    return err_set("%s: standbys need %lu MiB of shared memory, and %lu MiB are left; make arenas "
                   "smaller, or the file system larger",
                   boot->shm_dir, need >> 20, free_bytes >> 20);
}

/* Every region; with hugepages wanted but missing, the warning or (HUGE_ON) the error. */
static int create_regions(const struct segment_place *place, const struct boot *boot,
                          const struct topo *t, char *warning, size_t warning_size)
{
    u64 missing = 0, wanted = pages_wanted(t);
    for (u32 i = 0; i < t->region_count; i++)
        if (create_region(boot, t, i, &missing)) return err_wrap("making the segment");
    if (check_later(boot, t)) return err_wrap("making the segment");
    if (missing)
        snprintf(warning, warning_size,
                 "%lu of %lu hugepages (2 MiB each) are missing, so some arenas are on ordinary "
                 "pages and memory access is slower; remedy: sysctl -w vm.nr_hugepages=%lu, then "
                 "start again",
                 missing, wanted, segment_hugepages_now() + missing);
    if (warning[0] && place->huge == SEGMENT_HUGE_ON) return err_set("%s", warning);
    return 0;
}

static u64 unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (u64)now.tv_sec * 1000000000UL + (u64)now.tv_nsec;
}

/* Refuse while anything of the former segment lives, then remove it. */
static int clear_former(const char *dir)
{
    struct boot former;
    if (segment_boot(dir, &former)) return 0;
    return segment_delete(dir);
}

int segment_create(const struct segment_place *place, const struct topo_params *params,
                   char *warning, size_t warning_size)
{
    static struct topo topo;
    struct boot boot = {.magic = BOOT_MAGIC, .version = BOOT_VERSION, .size = sizeof boot};
    warning[0] = 0;
    if (topo_build(&topo, params)) return -1;
    boot.params = *params;
    boot.topo_hash = topo_hash(&topo);
    boot.created_ns = unix_ns();
    boot.supervisor_pid = (u32)getpid();
    boot.supervisor_start = proc_start_ticks(boot.supervisor_pid);
    snprintf(boot.build, sizeof boot.build, "%s", place->build);
    if (segment_lock(place->dir, boot.dir, sizeof boot.dir) || clear_former(boot.dir)) return -1;
    if (segment_dirs(place, &boot, warning, warning_size)) return -1;
    if (create_regions(place, &boot, &topo, warning, warning_size) || segment_write_boot(&boot)) {
        segment_remove_files(&boot);
        return -1;
    }
    return 0;
}

int segment_set_durable(const struct segment *s, const u64 *written, u32 logs, u64 told)
{
    int i = topo_region(&s->topo, "durable");
    CHECK(i >= 0 && s->regions[i].head && logs <= PROC_LOGS_MAX);
    struct region_spec spec = spec_of(&s->topo, (u32)i);
    struct region region;
    if (region_map(&region, s->regions[i].path, &spec, REGION_WRITE)) return -1;
    struct durable *d = durable_join(region.object);
    for (u32 log = 0; log < logs; log++)
        atomic_store_explicit(&d->written[log], written[log], memory_order_relaxed);
    atomic_store_explicit(&d->synced, written[LOG_COMMAND], memory_order_relaxed);
    atomic_store_explicit(&d->seq, told, memory_order_release);
    region_unmap(&region);
    return 0;
}

/* Name a process of the instance that lives, or NULL. */
static const char *who_lives(const struct boot *boot, char *name, size_t size)
{
    static struct segment s;
    if (boot->supervisor_pid != (u32)getpid() && segment_is_alive(boot)) {
        snprintf(name, size, "its supervisor, process %u,", boot->supervisor_pid);
        return name;
    }
    if (segment_attach(&s, boot->dir, ROLE_COUNT, 0)) return NULL; /* then nobody can be asked */
    const char *found = NULL;
    for (u32 p = 0; p < s.topo.proc_count && !found; p++) {
        const struct proc_block *block = block_of(&s, p);
        u32 pid = atomic_load_explicit(&block->pid, memory_order_relaxed);
        if (pid == (u32)getpid() || !proc_is_alive(block)) continue;
        snprintf(name, size, "its %s, process %u,", s.topo.procs[p].name, pid);
        found = name;
    }
    segment_detach(&s);
    return found;
}

int segment_delete(const char *dir)
{
    struct boot boot;
    char name[64];
    if (segment_boot(dir, &boot)) return -1;
    const char *living = who_lives(&boot, name, sizeof name);
    if (living) return err_set("%s: %s is still running; stop it first", dir, living);
    segment_remove_files(&boot);
    return 0;
}
