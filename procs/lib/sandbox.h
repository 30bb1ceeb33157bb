/* sandbox.h: what a process gives up once it is set up.
 *
 *   Landlock   the file system but for the directories named
 *   seccomp    every system call but those of its groups; any other ends the process, and its last
 *              line names the call
 *
 * Both cannot be undone. A kernel that lacks one goes without it; the returned guards say so. Under
 * a sanitizer, which needs calls of its own, neither is entered.
 */
#ifndef EIDOS_PROCS_LIB_SANDBOX_H
#define EIDOS_PROCS_LIB_SANDBOX_H

#include "shm/base.h"

/* 1 in a build under a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_LEFT_OUT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANDBOX_LEFT_OUT 1
#endif
#endif
#ifndef SANDBOX_LEFT_OUT
#define SANDBOX_LEFT_OUT 0
#endif

/* System calls beyond those every process needs (memory without PROT_EXEC, clocks, futex, reading
 * and writing open descriptors, signals, exit). */
enum sandbox_calls {
    SANDBOX_FILES = 1,   /* open, read, write, sync, rename, remove files and directories */
    SANDBOX_SOCKETS = 2, /* listen and serve, epoll */
    SANDBOX_THREADS = 4, /* start threads */
    SANDBOX_STANDBY = 8, /* end the process it has a pidfd of, seal what becomes writable, and enter
                            a narrower sandbox when it no longer stands by */
};

enum { SANDBOX_READ = 0, SANDBOX_WRITE = 1 };

/* A directory (or file) that stays visible, with what is below. A table ends with a NULL path. */
struct sandbox_path {
    const char *path;
    u32 access; /* SANDBOX_READ or SANDBOX_WRITE; write includes make, rename, remove */
};

/* Enter both for this thread and the threads it will start. Paths are relative to `dir` unless
 * absolute, and must exist. *guards receives GUARD_LANDLOCK and GUARD_SECCOMP (shm/proc.h) as far
 * as they hold. -1 with err_set when a kernel that has them refuses. */
int sandbox_enter(const char *dir, const struct sandbox_path *paths, u32 calls, u32 *guards);

#endif
