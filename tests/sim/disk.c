/* Without checked variants, so that the plain names can be defined here. */
#undef _FORTIFY_SOURCE
#include "tests/sim/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "procs/lib/logfile.h"
#include "tests/sim/plan.h"

#define SECTOR       512UL
#define FILES_MAX    256U
#define NAMES_MAX    256U
#define FDS_MAX      256
#define MAPPINGS_MAX 1024U
#define PATH_ROOM    400U

enum sector_state { SECTOR_CLEAN, SECTOR_DIRTY, SECTOR_LIMBO };

struct disk_file {
    u64 inode;
    u64 sectors;      /* that `state` and `old` have room for */
    u64 synced_bytes; /* size as of the last sync */
    u8 *state;
    u8 *old; /* what a sector that is not clean held when it was last on disk */
};

/* A rename (from, to) or a removal (from, "") not yet synced. */
struct disk_name {
    char from[PATH_ROOM], to[PATH_ROOM];
    u32 kept; /* copy in the trash of what went away, 0 = none */
};

struct disk_mapping {
    void *at;
    size_t bytes;
    u32 owner;
};

static struct {
    bool on;
    char dir[PATH_ROOM], trash[PATH_ROOM];
    dev_t device;
    disk_before_fn *before;
    void *context;
    u32 owner, victim;
    u8 owner_of[FDS_MAX];
    struct disk_faults faults;
    u64 injected, random;
    u32 file_count, name_count, kept;
    struct disk_file files[FILES_MAX];
    struct disk_name names[NAMES_MAX];
    u32 mapping_count;
    struct disk_mapping mappings[MAPPINGS_MAX];
} disk;

void disk_begin(const char *dir, const char *trash, disk_before_fn *before, void *context)
{
    struct stat st;
    memset(&disk, 0, sizeof disk);
    snprintf(disk.dir, sizeof disk.dir, "%s", dir);
    snprintf(disk.trash, sizeof disk.trash, "%s", trash);
    CHECK(stat(dir, &st) == 0);
    disk.device = st.st_dev;
    disk.before = before;
    disk.context = context;
    disk.on = true;
}

u32 disk_enter(u32 owner)
{
    u32 was = disk.owner;
    disk.owner = owner;
    return was;
}

void disk_set_victim(u32 owner)
{
    disk.victim = owner;
}

struct disk_faults *disk_faults(void)
{
    return &disk.faults;
}

u64 disk_injected(void)
{
    return disk.injected;
}

static void unmap_all(u32 owner)
{
    for (u32 i = 0; i < disk.mapping_count;) {
        struct disk_mapping *m = &disk.mappings[i];
        if (m->owner != owner) {
            i++;
            continue;
        }
        syscall(SYS_munmap, m->at, m->bytes);
        *m = disk.mappings[--disk.mapping_count];
    }
}

void disk_kill(u32 owner)
{
    unmap_all(owner);
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (disk.owner_of[fd] == owner + 1) {
            syscall(SYS_close, fd);
            disk.owner_of[fd] = 0;
        }
}

/* --- What stands on the platters ---------------------------------------------------------------
 */

static bool watched(int fd, struct stat *st)
{
    return disk.on && fd > 2 && fstat(fd, st) == 0 && st->st_dev == disk.device;
}

static void forget(struct disk_file *f)
{
    free(f->state);
    free(f->old);
    *f = disk.files[--disk.file_count];
}

static struct disk_file *file_of(const struct stat *st)
{
    for (u32 i = 0; i < disk.file_count; i++)
        if (disk.files[i].inode == st->st_ino) return &disk.files[i];
    CHECK(disk.file_count < FILES_MAX);
    struct disk_file *f = &disk.files[disk.file_count++];
    *f = (struct disk_file){.inode = st->st_ino, .synced_bytes = (u64)st->st_size};
    return f;
}

static void make_room(struct disk_file *f, u64 sectors)
{
    if (sectors <= f->sectors) return;
    u64 room = max_u64(sectors, 2 * f->sectors);
    f->state = realloc(f->state, room);
    f->old = realloc(f->old, room * SECTOR);
    CHECK(f->state && f->old);
    memset(f->state + f->sectors, SECTOR_CLEAN, room - f->sectors);
    f->sectors = room;
}

/* [at, at + bytes) is about to change. */
static void touch(int fd, const struct stat *st, u64 at, u64 bytes)
{
    struct disk_file *f = file_of(st);
    if (!bytes) return;
    u64 last = (at + bytes - 1) / SECTOR;
    make_room(f, last + 1);
    for (u64 i = at / SECTOR; i <= last; i++) {
        if (f->state[i] == SECTOR_CLEAN) {
            memset(f->old + i * SECTOR, 0, SECTOR);
            CHECK(syscall(SYS_pread64, fd, f->old + i * SECTOR, SECTOR, i * SECTOR) >= 0);
        }
        f->state[i] = SECTOR_DIRTY;
    }
}

static void settle(struct disk_file *f, const struct stat *st, bool failed)
{
    for (u64 i = 0; i < f->sectors; i++) {
        if (f->state[i] != SECTOR_DIRTY) continue;
        bool lost = failed && plan_random(&disk.random) % 2;
        f->state[i] = lost ? SECTOR_LIMBO : SECTOR_CLEAN;
    }
    if (!failed) f->synced_bytes = (u64)st->st_size;
}

/* Put back what a crash takes from one file. */
static void tear(struct disk_file *f, const char *path, u64 size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    CHECK(fd >= 0);
    u64 how = plan_random(&disk.random) % 4, dirty = 0, seen = 0, kept_end = f->synced_bytes;
    for (u64 i = 0; i < f->sectors; i++) dirty += f->state[i] == SECTOR_DIRTY;
    u64 kept = dirty ? plan_random(&disk.random) % (dirty + 1) : 0;
    for (u64 i = 0; i < f->sectors && i * SECTOR < size; i++) {
        bool lose = how == 0 || f->state[i] == SECTOR_LIMBO;
        if (f->state[i] == SECTOR_CLEAN) continue;
        if (how == 2) lose |= plan_random(&disk.random) % 2;
        if (how == 3 && f->state[i] == SECTOR_DIRTY) lose |= seen++ >= kept;
        if (!lose) kept_end = max_u64(kept_end, min_u64((i + 1) * SECTOR, size));
        u64 n = min_u64(SECTOR, size - i * SECTOR);
        if (lose) CHECK(syscall(SYS_pwrite64, fd, f->old + i * SECTOR, n, i * SECTOR) == (long)n);
    }
    if (kept_end < size && plan_random(&disk.random) % 2)
        CHECK(syscall(SYS_ftruncate, fd, kept_end) == 0);
    syscall(SYS_close, fd);
}

static void tear_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct stat st;
    char name[2 * PATH_ROOM];
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.' || lstat(name, &st)) continue;
        if (S_ISDIR(st.st_mode)) tear_dir(name);
        for (u32 i = 0; S_ISREG(st.st_mode) && i < disk.file_count; i++)
            if (disk.files[i].inode == st.st_ino) tear(&disk.files[i], name, (u64)st.st_size);
    }
    closedir(dir);
}

/* --- Names -------------------------------------------------------------------------------------
 */

static void trash_path(u32 kept, char path[PATH_ROOM + 32])
{
    snprintf(path, PATH_ROOM + 32, "%s/%u", disk.trash, kept);
}

static u32 keep_copy(const char *path)
{
    char copy[PATH_ROOM + 32];
    trash_path(disk.kept + 1, copy);
    return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, copy, 0) == 0 ? ++disk.kept : 0;
}

static void drop_copy(const struct disk_name *n)
{
    char copy[PATH_ROOM + 32];
    struct stat st;
    if (!n->kept) return;
    trash_path(n->kept, copy);
    if (lstat(copy, &st) == 0 && st.st_nlink == 1)
        for (u32 i = 0; i < disk.file_count; i++)
            if (disk.files[i].inode == st.st_ino) forget(&disk.files[i--]);
    syscall(SYS_unlinkat, AT_FDCWD, copy, 0);
}

static void absolute(int at, const char *name, char path[PATH_ROOM])
{
    char link[64], dir[PATH_ROOM];
    if (name[0] == '/' || at == AT_FDCWD) {
        snprintf(path, PATH_ROOM, "%s", name);
        return;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t n = readlink(link, dir, sizeof dir - 1);
    CHECK(n > 0);
    dir[n] = 0;
    CHECK(snprintf(path, PATH_ROOM, "%s/%s", dir, name) < (int)PATH_ROOM);
}

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static void note_name(const char *from, const char *to, u32 kept)
{
    CHECK(disk.name_count < NAMES_MAX);
    struct disk_name *n = &disk.names[disk.name_count++];
    snprintf(n->from, sizeof n->from, "%s", from);
    snprintf(n->to, sizeof n->to, "%s", to);
    n->kept = kept;
}

/* The names in this directory are on disk. */
static void settle_names(const char *dir)
{
    u32 left = 0;
    for (u32 i = 0; i < disk.name_count; i++) {
        struct disk_name *n = &disk.names[i];
        const char *slash = strrchr(n->from, '/');
        bool here = (size_t)(slash - n->from) == strlen(dir) && below(n->from, dir);
        if (here) drop_copy(n);
        else disk.names[left++] = *n;
    }
    disk.name_count = left;
}

static void undo(const struct disk_name *n)
{
    char copy[PATH_ROOM + 32];
    const char *gone = n->to[0] ? n->to : n->from;
    if (n->to[0]) syscall(SYS_renameat, AT_FDCWD, n->to, AT_FDCWD, n->from);
    if (!n->kept) return;
    trash_path(n->kept, copy);
    syscall(SYS_unlinkat, AT_FDCWD, gone, 0);
    CHECK(syscall(SYS_renameat, AT_FDCWD, copy, AT_FDCWD, gone) == 0);
}

void disk_crash(u64 random)
{
    disk.random = random;
    u32 stay = (u32)(plan_random(&disk.random) % (disk.name_count + 1));
    while (disk.name_count > stay) undo(&disk.names[--disk.name_count]);
    while (disk.name_count) drop_copy(&disk.names[--disk.name_count]);
    tear_dir(disk.dir);
    while (disk.file_count) forget(&disk.files[0]);
}

/* --- The hooks ---------------------------------------------------------------------------------
 */

static bool strike(u32 *countdown)
{
    if (disk.owner != disk.victim || !*countdown || --*countdown) return false;
    disk.injected++;
    return true;
}

static bool no_space(bool grows)
{
    if (disk.owner != disk.victim) return false;
    bool full = disk.faults.full_hard || (disk.faults.full && grows);
    disk.injected += full;
    if (full) errno = ENOSPC;
    return full;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static u64 total_of(const struct iovec *iov, int count)
{
    u64 n = 0;
    for (int i = 0; i < count; i++) n += iov[i].iov_len;
    return n;
}

/* Write the first `bytes` of the pieces. */
static void write_part(int fd, const struct iovec *iov, int count, off_t at, u64 bytes)
{
    for (int i = 0; i < count && bytes; i++) {
        u64 n = min_u64(bytes, iov[i].iov_len);
        CHECK(syscall(SYS_pwrite64, fd, iov[i].iov_base, n, at) == (long)n);
        at += (off_t)n;
        bytes -= n;
    }
}

static ssize_t put(int fd, const struct stat *st, const struct iovec *iov, int count, off_t at)
{
    u64 total = total_of(iov, count);
    disk.before(disk.context, disk.owner, DISK_WRITE);
    if (no_space((u64)at + total > (u64)st->st_size)) return -1;
    bool failed = strike(&disk.faults.fail_write), cut = strike(&disk.faults.fail_short);
    u64 part = failed || cut ? plan_random(&disk.random) % max_u64(total, 1) : total;
    touch(fd, st, (u64)at, part);
    write_part(fd, iov, count, at, part);
    return failed ? fail(EIO) : (ssize_t)part;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's headers have names
 * of their own. */
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    struct stat st;
    if (!watched(fd, &st)) return syscall(SYS_pwritev, fd, iov, count, at, 0);
    return put(fd, &st, iov, count, at);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    struct stat st;
    if (!watched(fd, &st)) return syscall(SYS_pwrite64, fd, data, bytes, at);
    if (disk.faults.mark_lost && bytes == sizeof(struct logfile_mark)) return (ssize_t)bytes;
    struct iovec piece = {(void *)data, bytes};
    return put(fd, &st, &piece, 1, at);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    struct stat st;
    if (!watched(fd, &st)) return syscall(SYS_write, fd, data, bytes);
    struct iovec piece = {(void *)data, bytes};
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = put(fd, &st, &piece, 1, at);
    if (n > 0) lseek(fd, at + n, SEEK_SET);
    return n;
}

static int sync_file(int fd)
{
    struct stat st;
    char dir[PATH_ROOM];
    if (!watched(fd, &st)) return (int)syscall(SYS_fdatasync, fd);
    disk.before(disk.context, disk.owner, DISK_SYNC);
    if (S_ISDIR(st.st_mode)) {
        absolute(fd, "", dir);
        dir[strlen(dir) - 1] = 0;
        settle_names(dir);
        return 0;
    }
    bool failed = strike(&disk.faults.fail_sync);
    if (disk.faults.sync_lies && disk.owner == disk.victim) return 0;
    settle(file_of(&st), &st, failed);
    return failed ? fail(EIO) : 0;
}

int fdatasync(int fd)
{
    return sync_file(fd);
}

int fsync(int fd)
{
    return sync_file(fd);
}

int sync_file_range(int fd, off64_t at, off64_t bytes, unsigned int flags)
{
    (void)fd, (void)at, (void)bytes, (void)flags;
    return 0;
}

int fallocate(int fd, int mode, off_t at, off_t bytes)
{
    struct stat st;
    if (!watched(fd, &st)) return (int)syscall(SYS_fallocate, fd, mode, at, bytes);
    disk.before(disk.context, disk.owner, DISK_WRITE);
    if (no_space(true)) return -1;
    file_of(&st);
    return (int)syscall(SYS_fallocate, fd, mode, at, bytes);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char old[PATH_ROOM], new[PATH_ROOM];
    absolute(from_dir, from, old);
    absolute(to_dir, to, new);
    if (!disk.on || !below(old, disk.dir))
        return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
    disk.before(disk.context, disk.owner, DISK_NAME);
    u32 kept = keep_copy(new);
    note_name(old, new, kept);
    return (int)syscall(SYS_renameat, AT_FDCWD, old, AT_FDCWD, new);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_ROOM];
    absolute(dir, name, path);
    if (!disk.on || flags || !below(path, disk.dir))
        return (int)syscall(SYS_unlinkat, dir, name, flags);
    disk.before(disk.context, disk.owner, DISK_NAME);
    u32 kept = keep_copy(path);
    if (kept) note_name(path, "", kept);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

/* What is written must be readable here too. */
static int open_at(int dir, const char *name, int flags, mode_t mode)
{
    if (disk.on && (flags & O_ACCMODE) == O_WRONLY) flags = (flags & ~O_ACCMODE) | O_RDWR;
    return (int)syscall(SYS_openat, dir, name, flags, mode);
}

static int opened(int fd, int flags)
{
    struct stat st;
    if (!disk.on || fd < 0) return fd;
    CHECK(fd < FDS_MAX);
    disk.owner_of[fd] = (u8)(disk.owner + 1);
    if (flags & O_TRUNC && watched(fd, &st))
        for (u32 i = 0; i < disk.file_count; i++)
            if (disk.files[i].inode == st.st_ino) forget(&disk.files[i--]);
    return fd;
}

int openat(int dir, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;
    va_start(ap, flags);
    if (flags & O_CREAT) mode = va_arg(ap, mode_t);
    va_end(ap);
    return opened(open_at(dir, name, flags, mode), flags);
}

int open(const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;
    va_start(ap, flags);
    if (flags & O_CREAT) mode = va_arg(ap, mode_t);
    va_end(ap);
    return opened(open_at(AT_FDCWD, name, flags, mode), flags);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX) disk.owner_of[fd] = 0;
    return (int)syscall(SYS_close, fd);
}

/* Memory goes with its process, too. */
void *mmap(void *want, size_t bytes, int protection, int flags, int fd, off_t at)
{
    long p = syscall(SYS_mmap, want, bytes, protection, flags, fd, at);
    if (p == -1) return MAP_FAILED;
    void *memory = ptr_at(NULL, (u64)p);
    if (disk.on && bytes >= 4UL << 20) syscall(SYS_madvise, memory, bytes, MADV_HUGEPAGE);
    if (disk.on && disk.owner) {
        CHECK(disk.mapping_count < MAPPINGS_MAX);
        disk.mappings[disk.mapping_count++] = (struct disk_mapping){memory, bytes, disk.owner};
    }
    return memory;
}

int munmap(void *memory, size_t bytes)
{
    for (u32 i = 0; i < disk.mapping_count; i++)
        if (disk.mappings[i].at == memory) {
            disk.mappings[i] = disk.mappings[--disk.mapping_count];
            break;
        }
    return (int)syscall(SYS_munmap, memory, bytes);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
