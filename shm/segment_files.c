#include "shm/segment_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "shm/err.h"

void segment_path(char path[static REGION_PATH_BYTES], const char *dir, const char *name)
{
    int n = snprintf(path, REGION_PATH_BYTES, "%s/%s", dir, name);
    CHECK(n > 0 && n < (int)REGION_PATH_BYTES);
}

/* mkdir -p */
static int make_dirs(const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", dir);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(path, 0755) && errno != EEXIST) return err_sys("making the directory %s", path);
        *p = '/';
    }
    if (mkdir(path, 0755) && errno != EEXIST) return err_sys("making the directory %s", path);
    return 0;
}

int segment_lock(const char *dir, char *absolute, size_t size)
{
    char run[PATH_MAX], full[PATH_MAX], lock[PATH_MAX + 16];
    if (snprintf(run, sizeof run, "%s/run", dir) >= (int)size)
        return err_set("%s: the path of the instance is too long; at most %zu characters", dir,
                       size - 5);
    if (make_dirs(run)) return -1;
    if (!realpath(dir, full)) return err_sys("%s", dir);
    if (snprintf(absolute, size, "%s", full) >= (int)size - 16)
        return err_set("%s: the path of the instance is too long; at most %zu characters", full,
                       size - 17);
    snprintf(lock, sizeof lock, "%s/run/lock", full);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return err_sys("opening %s", lock);
    /* The lock is the process's and ends with it, or when it closes this file: it never does. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &whole) == 0) return 0;
    fcntl(fd, F_GETLK, &whole);
    close(fd);
    return err_set("%s: another supervisor, process %d, is running this instance; stop it first "
                   "(eidosctl down)",
                   full, (int)whole.l_pid);
}

static void remove_dir(const char *path)
{
    if (!path[0]) return;
    DIR *dir = opendir(path);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(path);
}

/* One directory for this instance below a mount point, empty. */
static int make_instance_dir(const char *mount, const char *dir, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/eidos-%016lx", mount, region_hash(dir, strlen(dir)));
    if (n >= (int)size - REGION_NAME_BYTES)
        return err_set("%s: the path is too long; at most %zu characters", mount,
                       size - REGION_NAME_BYTES - 24);
    remove_dir(path);
    if (mkdir(path, 0755)) return err_sys("making the directory %s", path);
    return 0;
}

/* "" if `dir` is a hugetlbfs with 2 MiB pages, else why not and the remedy. */
static void look_at_huge_dir(const char *dir, char *why, size_t size)
{
    struct statfs fs;
    why[0] = 0;
    if (!dir || !dir[0])
        snprintf(why, size,
                 "no directory for hugepages is set (shm.huge_dir); arenas are on "
                 "ordinary pages and memory access is slower");
    else if (statfs(dir, &fs) || fs.f_type != HUGETLBFS_MAGIC)
        snprintf(why, size,
                 "%s is no hugetlbfs, so arenas are on ordinary pages and memory access is slower; "
                 "remedy: mkdir -p %s && mount -t hugetlbfs -o pagesize=2M none %s",
                 dir, dir, dir);
    else if (fs.f_bsize != (long)HUGE_PAGE)
        snprintf(why, size,
                 "%s has pages of %ld KiB, 2048 KiB are needed, so arenas are on ordinary pages; "
                 "remedy: mount a hugetlbfs with -o pagesize=2M and set shm.huge_dir",
                 dir, (long)fs.f_bsize / 1024);
}

int segment_dirs(const struct segment_place *place, struct boot *boot, char *warning,
                 size_t warning_size)
{
    if (place->huge != SEGMENT_HUGE_OFF) {
        look_at_huge_dir(place->huge_dir, warning, warning_size);
        if (!warning[0] &&
            make_instance_dir(place->huge_dir, boot->dir, boot->huge_dir, sizeof boot->huge_dir)) {
            boot->huge_dir[0] = 0;
            snprintf(warning, warning_size, "no hugepages: %s", err_text());
        }
        if (warning[0] && place->huge == SEGMENT_HUGE_ON) return err_set("%s", warning);
    }
    if (make_instance_dir(place->shm_dir, boot->dir, boot->shm_dir, sizeof boot->shm_dir))
        return -1;
    return 0;
}

static int boot_path(char path[static PATH_MAX], const char *dir)
{
    if (snprintf(path, PATH_MAX, "%s/run/boot", dir) < PATH_MAX) return 0;
    return err_set("the path of the instance is too long");
}

int segment_write_boot(const struct boot *boot)
{
    char path[PATH_MAX], fresh[PATH_MAX + 8];
    if (boot_path(path, boot->dir)) return -1;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return err_sys("writing %s", fresh);
    bool whole = write(fd, boot, sizeof *boot) == (ssize_t)sizeof *boot;
    int result = whole ? 0 : err_sys("writing %s", fresh);
    close(fd);
    if (!result && rename(fresh, path)) result = err_sys("renaming %s", fresh);
    return result;
}

int segment_boot(const char *dir, struct boot *boot)
{
    char path[PATH_MAX];
    if (boot_path(path, dir)) return -1;
    memset(boot, 0, sizeof *boot);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set("no exchange is running in %s (there is no run/boot); start it with: "
                       "eidosctl up --dir %s",
                       dir, dir);
    if (fd < 0) return err_sys("reading %s", path);
    ssize_t n = read(fd, boot, sizeof *boot);
    close(fd);
    if (n < (ssize_t)offsetof(struct boot, created_ns) || boot->magic != BOOT_MAGIC)
        return err_set("%s is not a boot record; remove it if no exchange runs there", path);
    if (boot->version != BOOT_VERSION || boot->size > sizeof *boot || n < (ssize_t)boot->size)
        return err_set("%s has version %u and %u bytes, this program knows version %u and %zu; use "
                       "the program it was started with",
                       path, boot->version, boot->size, BOOT_VERSION, sizeof *boot);
    return 0;
}

bool segment_is_alive(const struct boot *boot)
{
    return pid_is_alive(boot->supervisor_pid, boot->supervisor_start);
}

void segment_remove_files(const struct boot *boot)
{
    char path[PATH_MAX];
    remove_dir(boot->shm_dir);
    remove_dir(boot->huge_dir);
    if (boot_path(path, boot->dir) == 0) unlink(path);
}

u64 segment_hugepages_now(void)
{
    u64 pages = 0;
    FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "re");
    if (!f) return 0;
    if (fscanf(f, "%lu", &pages) != 1) pages = 0;
    fclose(f);
    return pages;
}
