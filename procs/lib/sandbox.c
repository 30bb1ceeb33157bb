#include "procs/lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/lib/text_log.h"
#include "shm/err.h"
#include "shm/proc.h"
#include "shm/region.h"

/* --- System calls ------------------------------------------------------------------------------
 */

/* From groups to calls, by name: a name the architecture does not have is left out. mmap, mprotect
 * and prctl stand in rules of their own, below. */
static const struct {
    u32 group; /* 0 = everybody */
    const char *names[40];
} calls_table[] = {
    {0, {"read",        "readv",         "pread64",         "write",        "writev",
         "close",       "lseek",         "fstat",           "newfstatat",   "futex",
         "futex_waitv", "clock_gettime", "clock_nanosleep", "nanosleep",    "gettimeofday",
         "poll",        "ppoll",         "restart_syscall", "rt_sigreturn", "rt_sigprocmask",
         "sigaltstack", "getpid",        "gettid",          "tgkill",       "sched_yield",
         "munmap",      "mremap",        "madvise",         "brk",          "getrandom",
         "exit",        "exit_group"}},
    {SANDBOX_FILES,
     {"openat",     "preadv",          "pwrite64",  "pwritev",         "pwritev2",  "fsync",
      "fdatasync",  "sync_file_range", "fallocate", "fadvise64",       "ftruncate", "renameat",
      "renameat2",  "rename",          "unlink",    "unlinkat",        "mkdir",     "mkdirat",
      "getdents64", "fstatfs",         "statfs",    "statx",           "access",    "faccessat",
      "faccessat2", "fcntl",           "flock",     "copy_file_range", "link",      "linkat"}},
    {SANDBOX_SOCKETS,
     {"socket",      "bind",           "listen",         "accept",   "accept4",  "getsockname",
      "getpeername", "setsockopt",     "getsockopt",     "shutdown", "recvfrom", "recvmsg",
      "recvmmsg",    "sendto",         "sendmsg",        "sendmmsg", "sendfile", "epoll_create1",
      "epoll_ctl",   "epoll_wait",     "epoll_pwait",    "eventfd2", "pipe2",    "fcntl",
      "ioctl",       "timerfd_create", "timerfd_settime"}},
    {SANDBOX_STANDBY,
     {"pidfd_send_signal", "seccomp", "landlock_create_ruleset", "landlock_restrict_self",
      "rt_sigaction"}}, /* and mseal and prctl, below */
    {SANDBOX_THREADS,
     {"clone", "clone3", "set_robust_list", "rseq", "sched_getaffinity", "rt_sigaction"}},
};

/* Names by number, for the last line of a process that called what it may not. */
static char call_names[512][24];

static void learn_names(void)
{
    for (int nr = 0; nr < (int)COUNT_OF(call_names); nr++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
        if (name) snprintf(call_names[nr], sizeof call_names[nr], "%s", name);
        free(name);
    }
}

/* Only async-signal-safe calls. The handler is not installed again, so the next one kills. */
static void on_forbidden_call(int signal, siginfo_t *info, void *context)
{
    char text[128];
    (void)context;
    u32 nr = (u32)info->si_syscall;
    const char *name = nr < COUNT_OF(call_names) ? call_names[nr] : "unknown";
    size_t n = 0;
    const char *const words[] = {"forbidden system call: ", name, " (seccomp); stopping"};
    for (u32 i = 0; i < COUNT_OF(words); i++)
        for (const char *c = words[i]; *c && n + 1 < sizeof text; c++) text[n++] = *c;
    text[n] = '\0';
    text_log_dying(text, "");
    raise(signal);
}

/* Sealing, and entering a narrower sandbox: what can only take away. */
static int allow_standby(scmp_filter_ctx filter)
{
    struct scmp_arg_cmp no_new = SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS, 0);
    struct scmp_arg_cmp is_in = SCMP_A0(SCMP_CMP_EQ, PR_GET_SECCOMP, 0);
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_MSEAL, 0);
    if (!result) result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, no_new);
    if (!result) result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, is_in);
    return result;
}

static int allow(scmp_filter_ctx filter, u32 calls)
{
    for (u32 i = 0; i < COUNT_OF(calls_table); i++) {
        if (calls_table[i].group && !(calls & calls_table[i].group)) continue;
        for (u32 k = 0; k < COUNT_OF(calls_table[i].names) && calls_table[i].names[k]; k++) {
            int nr = seccomp_syscall_resolve_name(calls_table[i].names[k]);
            if (nr < 0) continue;
            int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
            if (result && result != -EEXIST) return result;
        }
    }
    /* Memory, but never to execute. */
    struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    struct scmp_arg_cmp name_only = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);
    if (!result) result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
    if (!result && calls & SANDBOX_STANDBY) result = allow_standby(filter);
    if (!result && calls & SANDBOX_THREADS)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, name_only);
    return result;
}

static int enter_seccomp(u32 calls, u32 *guards)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) return 0; /* a kernel without it */
    learn_names();
    struct sigaction action = {.sa_sigaction = on_forbidden_call,
                               .sa_flags = SA_SIGINFO | (int)SA_RESETHAND};
    sigaction(SIGSYS, &action, NULL);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter) return err_set("seccomp: no memory for the filter");
    int result = allow(filter, calls);
    if (!result) result = seccomp_load(filter);
    seccomp_release(filter);
    if (result) return err_set("entering the seccomp filter: %s", strerror(-result));
    *guards |= GUARD_SECCOMP;
    return 0;
}

/* --- Files -------------------------------------------------------------------------------------
 */

/* Rights newer than our headers, by the ABI that brought them. */
#define FS_TRUNCATE  (1UL << 14) /* 3 */
#define FS_IOCTL_DEV (1UL << 15) /* 5 */

#define FS_FILE_READ  (LANDLOCK_ACCESS_FS_READ_FILE)
#define FS_FILE_WRITE (FS_FILE_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define FS_DIR_READ   (FS_FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_DIR_WRITE \
    (FS_FILE_WRITE | FS_DIR_READ | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_REFER)

static u64 rights_of_abi(long abi)
{
    u64 rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= FS_TRUNCATE;
    if (abi >= 5) rights |= FS_IOCTL_DEV;
    return rights;
}

static int add_path(int ruleset, const char *dir, const struct sandbox_path *p, u64 known)
{
    char path[512];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s%s%s", p->path[0] == '/' ? "" : dir,
                     p->path[0] == '/' ? "" : "/", p->path);
    if (n >= (int)sizeof path) return err_set("Landlock: the path %s is too long", p->path);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0) close(fd);
        return err_sys("Landlock: opening %s", path);
    }
    u64 rights = S_ISDIR(st.st_mode) ? (p->access == SANDBOX_WRITE ? FS_DIR_WRITE : FS_DIR_READ)
                                     : (p->access == SANDBOX_WRITE ? FS_FILE_WRITE : FS_FILE_READ);
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights & known, .parent_fd = fd};
    int result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0)
                     ? err_sys("Landlock: admitting %s", path)
                     : 0;
    close(fd);
    return result;
}

static int enter_landlock(const char *dir, const struct sandbox_path *paths, u32 *guards)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return 0; /* a kernel without it, or with it switched off */
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights_of_abi(abi)};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0) return err_sys("Landlock: making a ruleset");
    int result = 0;
    for (const struct sandbox_path *p = paths; !result && p && p->path; p++)
        result = add_path(ruleset, dir, p, attr.handled_access_fs);
    if (!result && syscall(SYS_landlock_restrict_self, ruleset, 0))
        result = err_sys("Landlock: entering");
    close(ruleset);
    if (!result) *guards |= GUARD_LANDLOCK;
    return result;
}

int sandbox_enter(const char *dir, const struct sandbox_path *paths, u32 calls, u32 *guards)
{
    *guards = 0;
    if (SANDBOX_LEFT_OUT) return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return err_sys("giving up new privileges");
    if (enter_landlock(dir, paths, guards)) return -1;
    return enter_seccomp(calls, guards);
}
