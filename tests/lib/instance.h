/* instance.h: a private exchange for a test or bench: a segment in a folder of its own, and the
 * real processes that are asked for, started and stopped by this program, which stands in for the
 * supervisor and for the processes it leaves out. */
#ifndef EIDOS_TESTS_LIB_INSTANCE_H
#define EIDOS_TESTS_LIB_INSTANCE_H

#include <sys/types.h>

#include "shm/segment.h"

#define INSTANCE_PROCS_MAX 16

struct instance {
    char dir[200];
    u32 count;
    struct {
        u32 role, instance;
        pid_t pid;
    } procs[INSTANCE_PROCS_MAX];
    struct segment onlooker;
};

/* Sizes that start in a blink. */
extern const struct topo_params instance_small;

/* Make the segment in a new folder below `parent` (NULL: /tmp). CHECKs that it works. */
void instance_open(struct instance *in, const char *parent, const struct topo_params *params);

/* Start build/bin/eidos-NAME (or EIDOS_BIN/eidos-NAME) and wait until it is ready. `extra` are
 * further arguments, NULL-terminated, or NULL. */
void instance_start(struct instance *in, u32 role, u32 instance, const char *const *extra);

/* Send a signal and reap; returns the wait status. */
int instance_stop(struct instance *in, u32 role, u32 instance, int signal);

/* Stop what still runs, in reverse order, and remove folder and segment. */
void instance_close(struct instance *in);

#endif
