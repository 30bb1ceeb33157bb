/* configure_huge.c: huge pages: the file system that hands them out, and enough of them. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cli/configure.h"
#include "shm/err.h"

#define PAGES_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static bool wanted(const struct host *h)
{
    return h->config.shm.hugepages != HUGEPAGES_OFF;
}

/* --- The mount ---------------------------------------------------------------------------------*/

bool huge_mount_check(struct host *h, char text[STAGE_TEXT])
{
    const char *dir = h->config.shm.huge_dir.s;
    struct statfs fs;
    h->has_mount = false;
    if (!wanted(h)) {
        snprintf(text, STAGE_TEXT, "not wanted: shm.hugepages = off");
        return true;
    }
    bool there = statfs(dir, &fs) == 0;
    if (!there || fs.f_type != HUGETLBFS_MAGIC)
        snprintf(text, STAGE_TEXT,
                 "%s is no hugetlbfs. As root: mkdir -p %s && mount -t hugetlbfs "
                 "-o pagesize=2M none %s",
                 dir, dir, dir);
    else if (fs.f_bsize != (long)HUGE_PAGE)
        snprintf(text, STAGE_TEXT,
                 "%s has pages of %s; mount one with -o pagesize=2M elsewhere "
                 "and set shm.huge_dir",
                 dir, cli_bytes((u64)fs.f_bsize));
    else if (access(dir, W_OK))
        snprintf(text, STAGE_TEXT,
                 "%s is not writable for this user. As root: mkdir %s/eidos && "
                 "chown %u %s/eidos, then set shm.huge_dir to it",
                 dir, dir, geteuid(), dir);
    else h->has_mount = true;
    if (h->has_mount) snprintf(text, STAGE_TEXT, "%s, pages of 2 MiB, writable", dir);
    return h->has_mount;
}

int huge_mount_init(struct host *h)
{
    const char *dir = h->config.shm.huge_dir.s;
    struct statfs fs;
    if (statfs(dir, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
        return err_set("%s is mounted, but not as needed; not touched", dir);
    printf("         $ mkdir -p %s && mount -t hugetlbfs -o pagesize=2M none %s\n", dir, dir);
    if (host_make_dirs(dir)) return -1;
    if (mount("none", dir, "hugetlbfs", 0, "pagesize=2M"))
        return errno == EPERM
                   ? err_sys("mounting needs root (in a container: --privileged, or mount it on "
                             "the host and pass it in with -v %s:%s)",
                             dir, dir)
                   : err_sys("mounting %s", dir);
    return host_remember(h, "mount", 1);
}

int huge_mount_fini(struct host *h)
{
    const char *dir = h->config.shm.huge_dir.s;
    if (!host_recall(h, "mount")) return 0;
    printf("         $ umount %s\n", dir);
    if (umount(dir)) return err_sys("umount %s", dir);
    return host_remember(h, "mount", 0);
}

/* --- The pages ---------------------------------------------------------------------------------*/

static bool read_number(const char *path, u64 *value)
{
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%lu", value) == 1;
    if (file) fclose(file);
    return read;
}

static int write_number(const char *path, u64 value)
{
    FILE *file = fopen(path, "we");
    if (!file) return err_sys("%s", path);
    bool written = fprintf(file, "%lu\n", value) > 0;
    written &= fclose(file) == 0;
    return written ? 0 : err_sys("%s", path);
}

bool huge_pages_check(struct host *h, char text[STAGE_TEXT])
{
    u64 all = 0, free_now = 0;
    h->has_pages = false;
    if (!wanted(h)) {
        snprintf(text, STAGE_TEXT, "not wanted: shm.hugepages = off");
        return true;
    }
    if (!read_number(PAGES_DIR "nr_hugepages", &all) ||
        !read_number(PAGES_DIR "free_hugepages", &free_now)) {
        snprintf(text, STAGE_TEXT, "this kernel has no huge pages of 2 MiB (no " PAGES_DIR ")");
        return false;
    }
    h->has_pages = free_now >= h->pages || (h->running && all >= h->pages);
    if (h->has_pages)
        snprintf(text, STAGE_TEXT, "%lu of 2 MiB needed (%s), %lu free%s", h->pages,
                 cli_bytes(h->pages * HUGE_PAGE), free_now,
                 free_now < h->pages ? ", the others are in use by the exchange that runs here"
                                     : "");
    else
        snprintf(text, STAGE_TEXT,
                 "%lu of 2 MiB needed (%s), %lu free. As root: sysctl -w vm.nr_hugepages=%lu",
                 h->pages, cli_bytes(h->pages * HUGE_PAGE), free_now, all + h->pages - free_now);
    return h->has_pages;
}

/* Why the kernel gave fewer than asked for, although there is memory. */
static int explain_short(u64 got, u64 asked)
{
    return err_set("the kernel gave %lu of %lu although %s are available: memory is fragmented. "
                   "Reserve them at boot: echo vm.nr_hugepages=%lu > /etc/sysctl.d/60-eidos.conf",
                   got, asked, cli_bytes(host_memory()), asked);
}

int huge_pages_init(struct host *h)
{
    u64 all = 0, free_now = 0, got = 0;
    if (!read_number(PAGES_DIR "nr_hugepages", &all) ||
        !read_number(PAGES_DIR "free_hugepages", &free_now))
        return err_set("nothing can be done on this kernel");
    if (!h->has_mount)
        return err_set(
            "without a hugetlbfs to hand them out, reserving pages would only waste them");
    u64 asked = all + h->pages - free_now;
    if ((asked - all) * HUGE_PAGE > host_memory())
        return err_set("%lu more would take %s, and the host has %s to give; not touched. Make "
                       "arenas smaller (trading.accounts_max, log.command_bytes, ...)",
                       asked - all, cli_bytes((asked - all) * HUGE_PAGE), cli_bytes(host_memory()));
    printf("         $ sysctl -w vm.nr_hugepages=%lu\n", asked);
    if (write_number(PAGES_DIR "nr_hugepages", asked))
        return errno == EACCES || errno == EPERM || errno == EROFS
                   ? err_wrap("needs root of the host (in a container: set it on the host)")
                   : -1;
    read_number(PAGES_DIR "nr_hugepages", &got);
    if (got < asked) {
        printf("         $ echo 1 > /proc/sys/vm/compact_memory && sysctl -w vm.nr_hugepages=%lu\n",
               asked);
        if (write_number("/proc/sys/vm/compact_memory", 1) == 0)
            write_number(PAGES_DIR "nr_hugepages", asked);
        read_number(PAGES_DIR "nr_hugepages", &got);
    }
    if (got > all && host_remember(h, "hugepages", host_recall(h, "hugepages") + got - all))
        return -1;
    return got >= asked ? 0 : explain_short(got, asked);
}

int huge_pages_fini(struct host *h)
{
    u64 all, ours = host_recall(h, "hugepages");
    if (!ours || !read_number(PAGES_DIR "nr_hugepages", &all)) return 0;
    u64 left = all > ours ? all - ours : 0;
    printf("         $ sysctl -w vm.nr_hugepages=%lu\n", left);
    if (write_number(PAGES_DIR "nr_hugepages", left)) return -1;
    return host_remember(h, "hugepages", 0);
}
