#include "procs/lib/logfile.h"

#include "procs/lib/regular.h"
#include "shm/crc32c.h"
#include "shm/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ADVICE_INSTANCE[] =
    "restore the file from a copy of this instance, or start an empty one with another --dir";

void logfile_name(u32 log, char name[LOGFILE_NAME_BYTES])
{
    memset(name, 0, LOGFILE_NAME_BYTES);
    if (log == LOG_COMMAND) snprintf(name, LOGFILE_NAME_BYTES, "command");
    else if (log == LOG_ACCOUNT) snprintf(name, LOGFILE_NAME_BYTES, "account");
    else snprintf(name, LOGFILE_NAME_BYTES, "match-%u", log - LOG_MATCH(0));
}

u32 logfile_index(const char *name)
{
    char known[LOGFILE_NAME_BYTES];
    for (u32 log = 0; log < PROC_LOGS_MAX; log++) {
        logfile_name(log, known);
        if (!strcmp(name, known)) return log;
    }
    return UINT32_MAX;
}

void logfile_file(u32 log, u64 first, char name[64])
{
    char log_name[LOGFILE_NAME_BYTES];
    logfile_name(log, log_name);
    snprintf(name, 64, "%s-%020lu.log", log_name, first);
}

static int make_dir(const char *path)
{
    if (mkdir(path, 0755) && errno != EEXIST) return err_sys("making the directory %s", path);
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define INSTANCE_DIGITS (2 * LOGFILE_INSTANCE)
static const char USED[] = "\nused\n";

/* 1 = read, 0 = there is none, -1 = unreadable. */
static int read_instance(struct logdir *d, const char *path)
{
    char text[INSTANCE_DIGITS + sizeof USED] = "";
    const char *why;
    int fd = regular_open(AT_FDCWD, path, O_RDONLY, &why);
    if (fd < 0 && errno == ENOENT) return 0;
    if (fd < 0) return err_set("%s: %s; check the rights on it, or %s", path, why, ADVICE_INSTANCE);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n < INSTANCE_DIGITS)
        return err_set("%s: must hold %d hex digits; %s", path, INSTANCE_DIGITS, ADVICE_INSTANCE);
    for (int i = 0; i < LOGFILE_INSTANCE; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return err_set("%s: at byte %d: not a hex digit; %s", path, 2 * i, ADVICE_INSTANCE);
        d->instance[i] = (u8)(high << 4 | low);
    }
    d->used = !strncmp(text + INSTANCE_DIGITS, USED, strlen(USED));
    return 1;
}

static int write_instance(const struct logdir *d, const char *path)
{
    char text[INSTANCE_DIGITS + sizeof USED], fresh[300];
    for (int i = 0; i < LOGFILE_INSTANCE; i++) snprintf(text + 2 * i, 3, "%02x", d->instance[i]);
    size_t bytes = INSTANCE_DIGITS + (d->used ? strlen(USED) : 1);
    memcpy(text + INSTANCE_DIGITS, USED, sizeof USED);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return err_sys("creating %s", fresh);
    bool failed = write(fd, text, bytes) != (ssize_t)bytes || fsync(fd);
    failed |= close(fd) != 0;
    if (failed || rename(fresh, path)) return err_sys("writing %s", path);
    return 0;
}

static bool has_files(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) return copy >= 0 && close(copy) == 0;
    bool found = false;
    for (struct dirent *e; (e = readdir(dir));) found |= strstr(e->d_name, ".log") != NULL;
    closedir(dir);
    return found;
}

static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_sys("opening %s", path);
    int failed = fsync(fd);
    close(fd);
    return failed ? err_sys("syncing the directory %s", path) : 0;
}

static int open_instance(struct logdir *d, bool create)
{
    char path[280];
    snprintf(path, sizeof path, "%s/instance", d->dir);
    int found = read_instance(d, path);
    if (found) return found < 0 ? -1 : 0;
    if (!create) return err_set("%s: no such file: no exchange was ever started here", path);
    if (has_files(d->fd))
        return err_set("%s is missing, but %s/journal has files; %s", path, d->dir,
                       ADVICE_INSTANCE);
    if (getrandom(d->instance, sizeof d->instance, 0) != sizeof d->instance)
        return err_sys("drawing an instance id");
    if (write_instance(d, path)) return -1;
    return sync_dir(d->dir);
}

int logdir_set_used(struct logdir *d)
{
    char path[280];
    if (d->used) return 0;
    d->used = true;
    snprintf(path, sizeof path, "%s/instance", d->dir);
    return write_instance(d, path) ? -1 : sync_dir(d->dir);
}

int logdir_open(struct logdir *d, const char *dir, bool create)
{
    char path[280];
    *d = (struct logdir){.fd = -1};
    if (snprintf(d->dir, sizeof d->dir, "%s", dir) >= (int)sizeof d->dir)
        return err_set("the directory name is longer than %zu characters: %s", sizeof d->dir - 1,
                       dir);
    snprintf(path, sizeof path, "%s/journal", dir);
    if (create && (make_dir(dir) || make_dir(path))) return -1;
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0)
        return err_set("opening %s: %s; check the rights on it, or restore the folder from a copy",
                       path, strerror(errno));
    if (!open_instance(d, create)) return 0;
    logdir_close(d);
    return -1;
}

void logdir_close(struct logdir *d)
{
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}

int logdir_lock(const struct logdir *d)
{
    if (!flock(d->fd, LOCK_EX | LOCK_NB)) return 0;
    if (errno != EWOULDBLOCK) return err_sys("locking %s/journal", d->dir);
    return err_set("another process writes %s/journal; `fuser %s/journal` names it: stop it, then "
                   "try again",
                   d->dir, d->dir);
}

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

/* The sequence in a file name of this log, or 0: no file's first sequence is 0. */
static u64 first_of(const char *file, const char *log)
{
    size_t n = strlen(log);
    if (strncmp(file, log, n) != 0 || file[n] != '-' || strlen(file) != n + 25) return 0;
    if (strcmp(file + n + 21, ".log") != 0) return 0;
    u64 first = 0;
    for (const char *p = file + n + 1; p < file + n + 21; p++) {
        if (*p < '0' || *p > '9') return 0;
        if (__builtin_mul_overflow(first, 10, &first)) return 0;
        if (__builtin_add_overflow(first, (u64)(*p - '0'), &first)) return 0;
    }
    return first;
}

int logfile_list(const struct logdir *d, u32 log, u64 **firsts)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(log, name);
    *firsts = NULL;
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return err_sys("listing %s/journal", d->dir);
    int count = 0, room = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        u64 first = first_of(e->d_name, name);
        if (!first) continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            *firsts = realloc(*firsts, (size_t)room * sizeof **firsts);
            CHECK(*firsts);
        }
        (*firsts)[count++] = first;
    }
    closedir(dir);
    if (count) qsort(*firsts, (size_t)count, sizeof **firsts, by_value);
    return count;
}

static u32 mark_crc(const struct logfile_mark *mark)
{
    return crc32c(0, mark, offsetof(struct logfile_mark, crc));
}

int logfile_mark_read(const struct logdir *d, struct logfile_mark *mark)
{
    const char *why;
    int fd = regular_open(d->fd, "mark", O_RDONLY, &why);
    ssize_t n = fd < 0 ? 0 : pread(fd, mark, sizeof *mark, 0);
    if (fd >= 0) close(fd);
    if (n == sizeof *mark && mark->magic == LOGFILE_MARK_MAGIC && mark->crc == mark_crc(mark) &&
        !memcmp(mark->instance, d->instance, LOGFILE_INSTANCE))
        return 1;
    memset(mark, 0, sizeof *mark);
    return 0;
}

int logfile_mark_open(const struct logdir *d, struct logfile_mark *mark)
{
    logfile_mark_read(d, mark);
    mark->magic = LOGFILE_MARK_MAGIC;
    memcpy(mark->instance, d->instance, LOGFILE_INSTANCE);
    const char *why;
    int fd = regular_open(d->fd, "mark", O_RDWR | O_CREAT, &why);
    if (fd >= 0) return fd;
    return err_set("opening %s/journal/mark: %s; check the rights on it, or restore the file",
                   d->dir, why);
}

int logfile_mark_write(int fd, struct logfile_mark *mark, bool sync)
{
    mark->crc = mark_crc(mark);
    if (pwrite(fd, mark, sizeof *mark, 0) != sizeof *mark) return err_sys("writing journal/mark");
    if (sync && fdatasync(fd)) return err_sys("syncing journal/mark");
    return 0;
}
