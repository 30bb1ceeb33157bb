/* configure.h: the stages of `eidosctl configure`: what a host should have, one row each. */
#ifndef EIDOS_CLI_CONFIGURE_H
#define EIDOS_CLI_CONFIGURE_H

#include "cli/cli.h"

#define STAGE_TEXT 1024

/* What the stages look at: the configuration and what follows from it. */
struct host {
    const struct cli *cli;
    struct config config;
    struct topo topo;
    u64 pages;       /* hugepages of 2 MiB that the arenas take */
    u64 arena_bytes; /* of the arenas on ordinary pages */
    u64 small_bytes; /* of all other regions */
    bool running;    /* an exchange runs in this directory */
    bool has_pages;  /* as the stages found out, in their order */
    bool has_mount;
};

struct stage {
    const char *name;
    bool required;    /* the exchange does not start without */
    const char *cost; /* of going without */
    /* Is it there? `text` says what was found, or what is missing and the remedy. */
    bool (*check)(struct host *h, char text[STAGE_TEXT]);
    /* Bring it about, printing the shell equivalent; NULL: nothing can be done from here. -1 with
     * err. Only called when the check failed. */
    int (*init)(struct host *h);
    /* Take back what init did, and only that; NULL: nothing to take back. */
    int (*fini)(struct host *h);
};

/* In the order they are done; ends with a NULL name. configure_huge.c has the first two. */
extern const struct stage stages[];

bool huge_mount_check(struct host *h, char text[STAGE_TEXT]);
int huge_mount_init(struct host *h);
int huge_mount_fini(struct host *h);
bool huge_pages_check(struct host *h, char text[STAGE_TEXT]);
int huge_pages_init(struct host *h);
int huge_pages_fini(struct host *h);

/* A number the instance remembers about this host, in <dir>/configure.NAME; 0 = nothing. */
u64 host_recall(const struct host *h, const char *name);
int host_remember(const struct host *h, const char *name, u64 value);

/* Memory the host could give now, in bytes; most of it, so that the host lives on. */
u64 host_memory(void);

/* mkdir -p. 0 or -1. */
int host_make_dirs(const char *path);

#endif
