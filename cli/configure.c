/* configure.c: eidosctl configure check|init|fini. */
#include "cli/configure.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/err.h"

#define SYS_MSEAL     462    /* newer than our headers */
#define FILES_BEYOND  1024UL /* descriptors of a gateway that are no connections */
#define DISK_SEGMENTS 2UL    /* of each log: the one being written and the next */
#define DISK_EXTRA    (512UL << 20)

/* --- The directory -----------------------------------------------------------------------------*/

static bool dir_check(struct host *h, char text[STAGE_TEXT])
{
    const char *dir = h->config.dir.s;
    struct stat st;
    if (stat(dir, &st)) snprintf(text, STAGE_TEXT, "%s does not exist yet. mkdir -p %s", dir, dir);
    else if (access(dir, W_OK | X_OK))
        snprintf(text, STAGE_TEXT,
                 "%s is not writable for this user. As root: chown -R %u %s, or choose another "
                 "--dir",
                 dir, geteuid(), dir);
    else {
        snprintf(text, STAGE_TEXT, "%s, writable", dir);
        return true;
    }
    return false;
}

static int dir_init(struct host *h)
{
    printf("         $ mkdir -p %s\n", h->config.dir.s);
    return host_make_dirs(h->config.dir.s);
}

static bool disk_check(struct host *h, char text[STAGE_TEXT])
{
    struct statfs fs;
    u64 need =
        (2UL + h->config.matching.workers) * DISK_SEGMENTS * h->config.journal.segment_bytes +
        DISK_EXTRA;
    char place[CONFIG_TEXT_MAX];
    snprintf(place, sizeof place, "%s", h->config.dir.s);
    while (statfs(place, &fs) && strrchr(place, '/') != place)
        *strrchr(place, '/') = '\0'; /* it is not made yet: what lies above */
    if (statfs(place, &fs)) {
        snprintf(text, STAGE_TEXT, "%s: %s", place, strerror(errno));
        return false;
    }
    u64 free_now = fs.f_bavail * (u64)fs.f_bsize;
    bool enough = free_now >= need;
    snprintf(text, STAGE_TEXT, "%s to begin with, %s free in %s%s", cli_bytes(need),
             cli_bytes(free_now), h->config.dir.s,
             enough ? "" : ". Free some, choose another --dir, or lower journal.segment_bytes");
    return enough;
}

/* --- Shared memory -----------------------------------------------------------------------------*/

static u64 tmpfs_need(const struct host *h)
{
    bool huge = h->has_mount && h->has_pages;
    return h->running ? 0 : h->small_bytes + (huge ? 0 : h->arena_bytes);
}

static bool shm_check(struct host *h, char text[STAGE_TEXT])
{
    const char *dir = h->config.shm.shm_dir.s;
    struct statfs fs;
    u64 need = tmpfs_need(h);
    if (statfs(dir, &fs) || fs.f_type != TMPFS_MAGIC || access(dir, W_OK)) {
        snprintf(text, STAGE_TEXT,
                 "%s is no tmpfs that this user can write. Mount one, or set shm.shm_dir", dir);
        return false;
    }
    if (need > host_memory()) {
        snprintf(text, STAGE_TEXT,
                 "%s needed, and the host has %s of memory to give. Make arenas smaller "
                 "(trading.accounts_max, trading.orders_max, log.command_bytes, ...)",
                 cli_bytes(need), cli_bytes(host_memory()));
        return false;
    }
    u64 free_now = fs.f_bavail * (u64)fs.f_bsize;
    if (free_now >= need) {
        snprintf(text, STAGE_TEXT, "%s needed, %s free in %s", cli_bytes(need), cli_bytes(free_now),
                 dir);
        return true;
    }
    snprintf(text, STAGE_TEXT,
             "%s needed, %s free in %s. As root: mount -o remount,size=%lum %s (in a container: "
             "--shm-size=%lum), or make arenas smaller",
             cli_bytes(need), cli_bytes(free_now), dir, (need >> 20) + 64, dir, (need >> 20) + 64);
    return false;
}

static int shm_init(struct host *h)
{
    const char *dir = h->config.shm.shm_dir.s;
    char options[32];
    struct statfs fs;
    if (statfs(dir, &fs) || fs.f_type != TMPFS_MAGIC)
        return err_set("%s is no tmpfs; nothing can be done from here", dir);
    if (tmpfs_need(h) > host_memory()) return err_set("memory is short; not touched");
    u64 used = (fs.f_blocks - fs.f_bavail) * (u64)fs.f_bsize;
    snprintf(options, sizeof options, "size=%lum", ((used + tmpfs_need(h)) >> 20) + 64);
    printf("         $ mount -o remount,%s %s\n", options, dir);
    if (mount("none", dir, NULL, MS_REMOUNT, options)) return err_sys("remounting %s", dir);
    return 0;
}

/* --- Limits ------------------------------------------------------------------------------------*/

static bool files_check(struct host *h, char text[STAGE_TEXT])
{
    struct rlimit limit = {0};
    u64 need = h->config.api.connections_max + FILES_BEYOND;
    getrlimit(RLIMIT_NOFILE, &limit);
    bool enough = limit.rlim_max >= need;
    snprintf(text, STAGE_TEXT, "%lu descriptors allowed, %lu needed for api.connections_max%s",
             (u64)limit.rlim_max, need,
             enough ? ""
                    : ". As root: ulimit -Hn 1048576 before the start, or LimitNOFILE in the unit");
    return enough;
}

/* --- The kernel --------------------------------------------------------------------------------*/

/* A system call that is refused for its arguments is there. */
static bool feature(const char *since, bool there, char text[STAGE_TEXT])
{
    snprintf(text, STAGE_TEXT, there ? "yes" : "no; comes with Linux %s", since);
    return there;
}

static bool futex_check(struct host *h, char text[STAGE_TEXT])
{
    (void)h;
    long r = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);
    return feature("5.16", r >= 0 || errno != ENOSYS, text);
}

static bool pidfd_check(struct host *h, char text[STAGE_TEXT])
{
    (void)h;
    int fd = pidfd_open(getpid(), 0);
    if (fd >= 0) close(fd);
    return feature("5.4", fd >= 0, text);
}

static bool mseal_check(struct host *h, char text[STAGE_TEXT])
{
    (void)h;
    long r = syscall(SYS_MSEAL, 0UL, 0UL, ~0UL); /* unknown flags: refused before anything */
    return feature("6.10", r == 0 || errno != ENOSYS, text);
}

static bool landlock_check(struct host *h, char text[STAGE_TEXT])
{
    (void)h;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return feature("5.13, where it must not be disabled at boot (lsm=)", abi > 0, text);
}

/* --- The table ---------------------------------------------------------------------------------*/

#define SLOWER "arenas lie on ordinary pages: more TLB misses, slower under load"

const struct stage stages[] = {
    {"directory", true, "nothing can be kept", dir_check, dir_init, NULL},
    {"disk", false, "the exchange stops acknowledging when the disk is full", disk_check, NULL,
     NULL},
    {"hugetlbfs", false, SLOWER, huge_mount_check, huge_mount_init, huge_mount_fini},
    {"hugepages", false, SLOWER, huge_pages_check, huge_pages_init, huge_pages_fini},
    {"shm", false, "shared memory becomes files on disk: slower, and written to it", shm_check,
     shm_init, NULL},
    {"files", false, "fewer connections than api.connections_max", files_check, NULL, NULL},
    {"pidfd", true, "processes can not be watched", pidfd_check, NULL, NULL},
    {"futex_waitv", false, "idle processes wake a thousand times a second", futex_check, NULL,
     NULL},
    {"mseal", false, "mappings are not sealed", mseal_check, NULL, NULL},
    {"landlock", false, "processes keep the file system", landlock_check, NULL, NULL},
    {.name = NULL},
};

/* --- Memory between init and fini --------------------------------------------------------------*/

static void note_path(const struct host *h, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/configure.%s", h->config.dir.s, name);
}

u64 host_recall(const struct host *h, const char *name)
{
    char path[CONFIG_TEXT_MAX + 40];
    u64 value = 0;
    note_path(h, name, path, sizeof path);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    if (fscanf(file, "%lu", &value) != 1) value = 0;
    fclose(file);
    return value;
}

int host_remember(const struct host *h, const char *name, u64 value)
{
    char path[CONFIG_TEXT_MAX + 40];
    note_path(h, name, path, sizeof path);
    if (!value) return unlink(path) && errno != ENOENT ? err_sys("%s", path) : 0;
    if (host_make_dirs(h->config.dir.s)) return -1;
    FILE *file = fopen(path, "we");
    if (!file) return err_sys("%s", path);
    fprintf(file, "%lu\n", value);
    return fclose(file) ? err_sys("%s", path) : 0;
}

u64 host_memory(void)
{
    u64 kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lu", &kib) == 1) break;
    if (file) fclose(file);
    return kib * 1024 / 10 * 9;
}

int host_make_dirs(const char *path)
{
    char part[CONFIG_TEXT_MAX + 40];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        char was = *p;
        if (was != '/' && was != '\0') continue;
        *p = '\0';
        if (mkdir(part, 0755) && errno != EEXIST) return err_sys("mkdir %s", part);
        if (!was) return 0;
        *p = was;
    }
}

/* --- The command -------------------------------------------------------------------------------*/

static int load(struct host *h, const struct cli *c)
{
    struct topo_params params;
    struct boot boot;
    h->cli = c;
    if (config_load(&h->config, &c->source)) return -1;
    cli_topo_params(&h->config, &params);
    if (topo_build(&h->topo, &params)) return err_wrap("configuration");
    for (u32 i = 0; i < h->topo.region_count; i++) {
        const struct topo_region *r = &h->topo.regions[i];
        if (r->arena) h->pages += region_bytes(r->object_bytes, true) / HUGE_PAGE;
        *(r->arena ? &h->arena_bytes : &h->small_bytes) += region_bytes(r->object_bytes, false);
    }
    h->running = segment_boot(h->config.dir.s, &boot) == 0 && segment_is_alive(&boot);
    return 0;
}

static void print_stage(const struct stage *stage, bool ok, const char *text)
{
    printf("%-8s %-12s %s\n",
           ok                ? "ok"
           : stage->required ? "MISSING"
                             : "without",
           stage->name, text);
    if (!ok) printf("%-8s %-12s without it: %s\n", "", "", stage->cost);
}

static void json_stage(struct json_out *out, const struct stage *stage, bool ok, const char *text)
{
    json_put_open(out, '{');
    json_put_key(out, "stage"), json_put_cstring(out, stage->name);
    json_put_key(out, "ok"), json_put_bool(out, ok);
    json_put_key(out, "required"), json_put_bool(out, stage->required);
    json_put_key(out, "text"), json_put_cstring(out, text);
    json_put_key(out, "cost"), json_put_cstring(out, ok ? "" : stage->cost);
    json_put_close(out, '}');
}

static int check(struct host *h, struct json_out *json)
{
    char text[STAGE_TEXT];
    bool fit = true;
    if (json) json_put_open(json, '[');
    for (const struct stage *stage = stages; stage->name; stage++) {
        bool ok = stage->check(h, text);
        fit &= ok || !stage->required;
        if (json) json_stage(json, stage, ok, text);
        else print_stage(stage, ok, text);
    }
    if (json) json_put_close(json, ']');
    return fit ? CLI_OK : CLI_FAILED;
}

static int init(struct host *h)
{
    char text[STAGE_TEXT];
    bool fit = true;
    for (const struct stage *stage = stages; stage->name; stage++) {
        bool ok = stage->check(h, text);
        if (!ok && stage->init) {
            if (stage->init(h))
                printf("         %-12s could not be prepared: %s\n", stage->name, err_text());
            ok = stage->check(h, text);
        }
        fit &= ok || !stage->required;
        print_stage(stage, ok, text);
    }
    return fit ? CLI_OK : CLI_FAILED;
}

static int fini(struct host *h)
{
    int result = CLI_OK;
    u32 count = 0;
    if (h->running)
        return cli_fail(h->cli, CLI_BUSY, "an exchange runs in %s; stop it first (eidosctl down)",
                        h->config.dir.s);
    while (stages[count].name) count++;
    while (count-- > 0)
        if (stages[count].fini && stages[count].fini(h))
            result = cli_fail(h->cli, CLI_FAILED, "%s: %s", stages[count].name, err_text());
    return result;
}

int cmd_configure(int argc, char **argv)
{
    static struct host h;
    struct json_out out;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const char *what = c.arg[0];
    bool json = cli_value(&c, "--json");
    if (load(&h, &c)) return cli_fail(&c, CLI_USAGE, "%s", err_text());
    if (json && strcmp(what, "check") != 0)
        return cli_fail(&c, CLI_USAGE, "--json goes with check only");
    if (strcmp(what, "init") == 0) return init(&h);
    if (strcmp(what, "fini") == 0) return fini(&h);
    if (strcmp(what, "check") != 0)
        return cli_fail(&c, CLI_USAGE, "%s: expected check, init or fini", what);
    if (!json) return check(&h, NULL);
    cli_json_begin(&out);
    result = check(&h, &out);
    cli_json_end(&out);
    return result;
}
