/* explore_inside.h: what the explorer's files share. */
#ifndef EIDOS_TESTS_INTERLEAVE_EXPLORE_INSIDE_H
#define EIDOS_TESTS_INTERLEAVE_EXPLORE_INSIDE_H

#include <sys/types.h>

#include "shm/base.h"

enum explore_op {
    EXPLORE_LOAD,
    EXPLORE_STORE,
    EXPLORE_HELD, /* the store stays in the buffer */
    EXPLORE_FENCE,
    EXPLORE_PLAIN,
    EXPLORE_UPDATE,
    EXPLORE_WAKE,
    EXPLORE_WAIT,
    EXPLORE_RING,
    EXPLORE_POLL,
    EXPLORE_IDLE,
    EXPLORE_KILLED,
    EXPLORE_END,
};

struct explore_step {
    u32 thread;
    enum explore_op op;
    const void *at;
    u64 value;
};

void explore_print(const struct explore_step *steps, u64 count);

/* Called by explore_hooks.c, which the instrumented code calls. */
u64 explore_load(const void *at, u32 bytes, bool full);
void explore_store(void *at, u64 value, u32 bytes, bool release, bool full);
void explore_fence(bool release, bool full);
u64 *explore_update(void *at, u32 bytes); /* where to read, change and write at once */
void explore_plain(const void *at, u32 bytes, bool writes);

/* In place of syscall, write, getpid and abort in the instrumented code. */
long explore_syscall(long number, ...);
ssize_t explore_write(int fd, const void *data, size_t bytes);
pid_t explore_getpid(void); /* 100 plus the thread */
__attribute__((noreturn)) void explore_abort(void);

#endif
