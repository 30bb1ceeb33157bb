/* region.h: one file of shared memory with exactly one writer role.
 *
 *   0      4096                              size
 *   +------+----------------------------------+
 *   | head | object of one kind (x_new)       |
 *   +------+----------------------------------+
 *
 * The head names kind, size, owner and the layout the writer was built with, as text, so that a
 * mismatched binary can say which field differs. Region files live on hugetlbfs (arenas, logs) or
 * tmpfs; their space is allocated before anybody touches it, so that never ends in SIGBUS.
 */
#ifndef EIDOS_SHM_REGION_H
#define EIDOS_SHM_REGION_H

#include "shm/base.h"

#define REGION_MAGIC        0x3130474552534445UL
#define REGION_HEAD_BYTES   4096U
#define REGION_NAME_BYTES   56
#define REGION_PATH_BYTES   320
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
    REGION_HISTORY = 10,
    REGION_TRACE = 11,
    REGION_LIMITS = 12,
    REGION_GUARD = 13,
    REGION_KINDS, /* one behind the last */
};

/* FNV-1a, 64 bits. */
u64 region_hash(const void *data, size_t length);

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
    bool later; /* may become writable */
    bool huge;  /* on hugetlbfs */
    char path[REGION_PATH_BYTES];
};

struct region_spec {
    const char *name;
    u32 kind, owner_role, owner_instance;
    u64 object_bytes;
    bool arena;     /* large: hugetlbfs if there is one */
    bool for_later; /* on a tmpfs, its space is allocated by who first maps it to write */
};

/* The layout table of a kind; ends with a NULL name. Promises beyond the head: see layout.c. */
const struct layout_row *region_layout(u32 kind);

/* "log", or "unknown". */
const char *region_kind_name(u32 kind);

/* File size for an object of `object_bytes`. */
u64 region_bytes(u64 object_bytes, bool huge);

/* Create the file at `path` (replacing one that is there), allocate its space, write its head and
 * leave it mapped, writable, with epoch 1: not built yet. `huge` says the path is on hugetlbfs;
 * pages of a tmpfs are zeroed when they are first mapped. On -1, err says what and the remedy, and
 * there is no file. */
int region_create(struct region *r, const char *path, const struct region_spec *spec, bool huge);

/* Map an existing region. Checks magic, kind, size, owner and layout, and names the first field
 * that differs. Without REGION_WRITE or REGION_LATER the file is opened read-only, so that not even
 * mprotect makes the mapping writable. REGION_LATER: read-only until region_become_writable. */
enum { REGION_WRITE = 1, REGION_PREFAULT = 2, REGION_LATER = 4 };
int region_map(struct region *r, const char *path, const struct region_spec *spec, u32 flags);
int region_become_writable(struct region *r);

void region_unmap(struct region *r);

#define SYS_MSEAL 462 /* the same on all architectures; newer than our headers */

/* Forbid any further change of the mapping (mseal, Linux 6.10). False where the kernel cannot. */
bool region_seal(const struct region *r);

/* Owner: the object is being rebuilt (epoch odd), it is whole (epoch even, release). */
void region_rebuild(struct region *r);
void region_ready(struct region *r);

/* Reader: the epoch (acquire), or 0 while the owner rebuilds. A copy is good if the epoch was the
 * same before and after. */
u64 region_epoch(const struct region *r);

#endif
