#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/err.h"

u64 region_hash(const void *data, size_t length)
{
    const u8 *p = data;
    u64 hash = 0xcbf29ce484222325UL;
    for (size_t i = 0; i < length; i++) hash = (hash ^ p[i]) * 0x100000001b3UL;
    return hash;
}

const char *region_kind_name(u32 kind)
{
    static const char *const names[] = {
        [REGION_PROC] = "proc",       [REGION_RING] = "ring",     [REGION_LOG] = "log",
        [REGION_LEDGER] = "ledger",   [REGION_ORDERS] = "orders", [REGION_RULES] = "rules",
        [REGION_BOOKS] = "books",     [REGION_MARKET] = "market", [REGION_DURABLE] = "durable",
        [REGION_HISTORY] = "history", [REGION_TRACE] = "trace",   [REGION_LIMITS] = "limits",
        [REGION_GUARD] = "guard",
    };
    return kind < COUNT_OF(names) && names[kind] ? names[kind] : "unknown";
}

u64 region_bytes(u64 object_bytes, bool huge)
{
    return align_up(REGION_HEAD_BYTES + object_bytes, huge ? HUGE_PAGE : 4096);
}

/* The promises of a kind as text, one line each. */
static void write_layout(char text[static REGION_LAYOUT_BYTES], u32 kind)
{
    size_t n = 0;
    text[0] = 0;
    for (const struct layout_row *row = region_layout(kind); row->name; row++) {
        n += (size_t)snprintf(text + n, REGION_LAYOUT_BYTES - n, "%s %u %u\n", row->name,
                              row->offset, row->size);
        CHECK(n < REGION_LAYOUT_BYTES);
    }
}

/* Name the first line in which two layouts differ. */
static int layout_error(const char *theirs, const char *ours)
{
    while (*theirs && *ours) {
        size_t a = strcspn(theirs, "\n"), b = strcspn(ours, "\n");
        if (a != b || memcmp(theirs, ours, a) != 0) break;
        theirs += a + (theirs[a] != 0);
        ours += b + (ours[b] != 0);
    }
    theirs = *theirs ? theirs : "nothing";
    ours = *ours ? ours : "nothing";
    return err_set("its layout is another build's: it has `%.*s` where this program expects `%.*s` "
                   "(name, offset, size); use the program it was made with, or stop the exchange "
                   "and start it with this one",
                   (int)strcspn(theirs, "\n"), theirs, (int)strcspn(ours, "\n"), ours);
}

static int check_head(const struct region_head *h, u64 size, const struct region_spec *spec)
{
    static _Thread_local char ours[REGION_LAYOUT_BYTES];
    if (h->magic != REGION_MAGIC)
        return err_set("not a region of this program: magic %016lx, expected %016lx", h->magic,
                       REGION_MAGIC);
    if (h->kind != spec->kind)
        return err_set("holds a %s, expected a %s", region_kind_name(h->kind),
                       region_kind_name(spec->kind));
    if (h->size != size) return err_set("is %lu bytes, but was made with %lu", size, h->size);
    if (size < region_bytes(spec->object_bytes, false))
        return err_set("is %lu bytes, too short for an object of %lu", size, spec->object_bytes);
    if (h->owner_role != spec->owner_role || h->owner_instance != spec->owner_instance)
        return err_set("belongs to role %u instance %u, expected %u and %u", h->owner_role,
                       h->owner_instance, spec->owner_role, spec->owner_instance);
    if (strncmp(h->name, spec->name, sizeof h->name) != 0)
        return err_set("is named %.*s, expected %s", (int)sizeof h->name, h->name, spec->name);
    write_layout(ours, spec->kind);
    if (h->layout_hash != region_hash(ours, strlen(ours))) return layout_error(h->layout, ours);
    return 0;
}

static int map_file(struct region *r, int fd, u32 flags)
{
    int protection = PROT_READ | (flags & REGION_WRITE ? PROT_WRITE : 0);
    int how = MAP_SHARED | (flags & REGION_PREFAULT ? MAP_POPULATE : 0);
    void *at = mmap(NULL, r->size, protection, how, fd, 0);
    if (at == MAP_FAILED) return err_sys("mapping %lu bytes", r->size);
    r->head = at;
    r->object = (u8 *)at + REGION_HEAD_BYTES;
    r->writable = flags & REGION_WRITE;
    r->later = flags & REGION_LATER;
    return 0;
}

static void write_head(struct region *r, const struct region_spec *spec)
{
    struct region_head *h = r->head;
    h->size = r->size;
    h->kind = spec->kind;
    h->owner_role = spec->owner_role;
    h->owner_instance = spec->owner_instance;
    snprintf(h->name, sizeof h->name, "%s", spec->name);
    write_layout(h->layout, spec->kind);
    h->layout_hash = region_hash(h->layout, strlen(h->layout));
    atomic_store_explicit(&h->epoch, 1, memory_order_relaxed);
    h->magic = REGION_MAGIC;
}

static int reserve(const struct region *r, int fd, u64 bytes)
{
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0) return 0;
    return err_sys("%s: reserving %lu MiB of %s", r->path, (bytes >> 20) + 1,
                   r->huge ? "hugepages"
                           : "shared memory; make arenas or logs smaller, or the file system "
                             "larger");
}

int region_create(struct region *r, const char *path, const struct region_spec *spec, bool huge)
{
    *r = (struct region){.size = region_bytes(spec->object_bytes, huge), .huge = huge};
    snprintf(r->path, sizeof r->path, "%s", path);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) return err_sys("creating %s", path);
    int result = 0;
    if (ftruncate(fd, (off_t)r->size)) result = err_sys("%s", path);
    else if (reserve(r, fd, spec->for_later && !huge ? REGION_HEAD_BYTES : r->size)) result = -1;
    else if (map_file(r, fd, REGION_WRITE)) result = err_wrap("%s", path);
    close(fd);
    if (result) {
        unlink(path);
        return -1;
    }
    write_head(r, spec);
    return 0;
}

int region_map(struct region *r, const char *path, const struct region_spec *spec, u32 flags)
{
    *r = (struct region){0};
    snprintf(r->path, sizeof r->path, "%s", path);
    bool writes = flags & (REGION_WRITE | REGION_LATER);
    int fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0) return err_sys("opening %s", path);
    struct stat st;
    int result = 0;
    if (fstat(fd, &st)) result = err_sys("%s", path);
    else if (st.st_size < (off_t)REGION_HEAD_BYTES)
        result = err_set("%s: is %ld bytes, too short for a region", path, (long)st.st_size);
    if (!result) {
        r->size = (u64)st.st_size;
        r->huge = st.st_blksize == (blksize_t)HUGE_PAGE;
        bool lacks = flags & REGION_WRITE && (u64)st.st_blocks * 512 < r->size;
        if (lacks && !r->huge && reserve(r, fd, r->size)) result = -1;
        else if (map_file(r, fd, flags) || check_head(r->head, r->size, spec))
            result = err_wrap("%s", path);
    }
    close(fd);
    if (result) region_unmap(r);
    return result;
}

int region_become_writable(struct region *r)
{
    CHECK(r->later);
    if (mprotect(r->head, r->size, PROT_READ | PROT_WRITE))
        return err_sys("making %s writable", r->path);
    r->later = false;
    r->writable = true;
    return 0;
}

void region_unmap(struct region *r)
{
    if (r->head) munmap(r->head, r->size);
    r->head = NULL;
    r->object = NULL;
}

bool region_seal(const struct region *r)
{
    return syscall(SYS_MSEAL, r->head, r->size, 0UL) == 0;
}

void region_rebuild(struct region *r)
{
    u64 epoch = atomic_load_explicit(&r->head->epoch, memory_order_relaxed);
    atomic_store_explicit(&r->head->epoch, epoch | 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

void region_ready(struct region *r)
{
    u64 epoch = atomic_load_explicit(&r->head->epoch, memory_order_relaxed);
    atomic_store_explicit(&r->head->epoch, (epoch | 1) + 1, memory_order_release);
}

u64 region_epoch(const struct region *r)
{
    u64 epoch = atomic_load_explicit(&r->head->epoch, memory_order_acquire);
    return epoch & 1 ? 0 : epoch;
}
