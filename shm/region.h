/* region.h: one file of shared memory with exactly one writer role.
 *
 *   0      4096                              size
 *   +------+----------------------------------+
 *   | head | object of one kind (x_new)       |
 *   +------+----------------------------------+
 *
 * The head names kind, size, owner and the layout the writer was built with, as text, so that a
 * mismatched binary can say which field differs. Region files live on hugetlbfs (arenas, logs) or
 * tmpfs; their space is allocated when made, so a touch later never ends in SIGBUS.
 */
#ifndef EIDOS_SHM_REGION_H
#define EIDOS_SHM_REGION_H

#include "shm/base.h"

#define REGION_MAGIC        0x3130474552534445UL
#define REGION_HEAD_BYTES   4096U
#define REGION_NAME_BYTES   40
#define REGION_LAYOUT_BYTES 3800

enum region_kind {
    REGION_PROC = 1,
    REGION_RING = 2,
    REGION_LOG = 3,
    REGION_LEDGER = 4,
    REGION_ORDERS = 5,
    REGION_RULES = 6,
    REGION_BOOKS = 7,
    REGION_MARKET = 8,
    REGION_DURABLE = 9,
};

/* One promised field; a kind's layout is a table of them. */
struct layout_row {
    const char *name; /* "account.wallet" */
    u32 offset, size;
};
#define LAYOUT_ROW(type, field) \
    { \
#type "." #field, (u32)offsetof(struct type, field), \
            (u32)sizeof(((struct type *)0)->field) \
    }
#define LAYOUT_SIZE(type) \
    { \
        "sizeof " #type, 0, (u32)sizeof(struct type) \
    }

struct region_head {
    u64 magic;
    u64 size; /* of the file */
    u32 kind;
    u32 owner_role;
    u32 owner_instance;
    u32 zero32;
    u64 layout_hash;   /* of `layout` */
    _Atomic u64 epoch; /* odd while the owner rebuilds the object: readers wait */
    char name[REGION_NAME_BYTES];
    char layout[REGION_LAYOUT_BYTES]; /* "name offset size\n" for each row */
};
_Static_assert(sizeof(struct region_head) <= REGION_HEAD_BYTES, "the head is one page");

/* A mapping, process-private. */
struct region {
    struct region_head *head;
    void *object; /* head + REGION_HEAD_BYTES */
    u64 size;
    bool writable;
    bool huge;
    char path[192];
};

struct region_spec {
    const char *name;
    u32 kind, owner_role, owner_instance;
    u64 object_bytes;
    bool arena; /* large: hugetlbfs if there is one */
};

/* The layout table of a kind; ends with a NULL name. */
const struct layout_row *region_layout(u32 kind);

/* Create the file at `path` (replacing one that is there), allocate and prefault it, write its
 * head. `huge` says the path is on hugetlbfs. On -1, err says what and the remedy. */
int region_create(struct region *r, const char *path, const struct region_spec *spec, bool huge);

/* Map an existing region, writable only if asked; checks magic, kind, size, owner and layout, and
 * names the first field that differs. */
int region_map(struct region *r, const char *path, const struct region_spec *spec, bool writable);

void region_unmap(struct region *r);

#endif
