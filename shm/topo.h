/* topo.h: who owns which region, who reads it, which ring joins whom: one table of data.
 *
 * topo_build expands the table in topo.c for given counts into a list of processes, regions and
 * links. Creation, attach, permissions, wake-ups, `eidosctl shm` and the documentation read it;
 * nothing else knows a region's name.
 */
#ifndef EIDOS_SHM_TOPO_H
#define EIDOS_SHM_TOPO_H

#include "shm/base.h"
#include "shm/book.h"
#include "shm/history.h"
#include "shm/ledger.h"
#include "shm/market.h"
#include "shm/proc.h"
#include "shm/region.h"

enum role {
    ROLE_OPS = 0, /* eidosctl: supervisor and operators' commands */
    ROLE_JOURNAL,
    ROLE_TRADING,
    ROLE_MATCHING,
    ROLE_MARKET,
    ROLE_HISTORY,
    ROLE_SNAPSHOT,
    ROLE_VERIFY,
    ROLE_API,
    ROLE_TRADING_STANDBY,
    ROLE_MATCHING_STANDBY,
    ROLE_BRIDGE, /* exports the logs; the first one's cursor gates answers: journal.durability =
                    kafka */
    ROLE_COUNT,
};

#define TOPO_PROCS_MAX   64
#define TOPO_REGIONS_MAX 512
#define NO_INSTANCE      UINT32_MAX
_Static_assert(PROC_SERVED_MAX >= TOPO_PROCS_MAX, "a port for each process");

/* What decides the shape; kept in the boot record. */
struct topo_params {
    u32 api, verify, matching;                         /* how many of each */
    u32 bridges;                                       /* 1: answers wait for the exporter */
    u32 standbys;                                      /* STANDBY_* */
    u64 accounts_max, balances_max, nonce_windows_max; /* ledger */
    u64 transfers_max;                                 /* deposits and withdrawals kept */
    u64 orders_max;                                    /* order slots (open and recently closed) */
    u64 resting_max;                                   /* resting orders per matching process */
    u64 command_bytes, match_bytes, account_bytes;     /* logs, powers of two */
    u64 ring_bytes;                                    /* each ring, a power of two */
    u64 recent_trades;                                 /* kept per market by eidos-market */
    u64 markets_max;                                   /* markets it has room for */
    u32 candles[INTERVALS];                            /* kept per market */
    u64 history_rows;                                  /* kept of all wallets by eidos-history */
    u64 trace_entries;                                 /* of each trace; see trace.h */
};

/* Which roles have a standby (procs/lib/standby.h). */
enum { STANDBY_TRADING = 1, STANDBY_MATCHING = 2 };

struct topo_proc {
    u32 role, instance;
    char name[24]; /* "api@0", "trading" */
};

/* One region. Rings have a consumer; everything else may have many readers. */
struct topo_region {
    char name[REGION_NAME_BYTES]; /* file name: "ring.verify@0.trading" */
    u32 kind;
    u32 owner;    /* index into procs: the only writer */
    u32 consumer; /* rings: index into procs; otherwise NO_INSTANCE */
    u32 input;    /* rings: index into the consumer's proc_block.ring_tail */
    u32 log;      /* logs: index into proc_block.log_cursor; otherwise NO_INSTANCE */
    u32 twin;     /* an arena of a role with a standby: region index of its other copy; otherwise
                     NO_INSTANCE. The first copy has the plain name and the smaller index. */
    u64 readers;  /* bit per proc index that may map it read-only */
    u64 gates;    /* logs: bit per proc index that gates the writer */
    u64 sleepers; /* bit per proc index that sleeps on its head */
    u64 object_bytes;
    bool arena; /* large enough for hugepages */
};

struct topo {
    struct topo_params params;
    u32 proc_count, region_count;
    struct topo_proc procs[TOPO_PROCS_MAX];
    struct topo_region regions[TOPO_REGIONS_MAX];
};

/* "trading"; "onlooker" for ROLE_COUNT. */
const char *role_name(u32 role);

/* The role that a standby stands by for; any other role itself. */
u32 role_of_standby(u32 role);
static inline bool role_is_standby(u32 role)
{
    return role_of_standby(role) != role;
}

/* Expand the table; region names are at most REGION_NAME_BYTES - 1 long. Returns -1 with the
 * parameter that is impossible, its value and its range. */
int topo_build(struct topo *t, const struct topo_params *params);

/* What the owners of state regions format them with; orders_new takes orders_max. */
struct ledger_config topo_ledger_config(const struct topo_params *p);
struct books_config topo_books_config(const struct topo_params *p);
struct market_config topo_market_config(const struct topo_params *p);
struct history_config topo_history_config(const struct topo_params *p);

/* Index of a process or region, or -1. */
int topo_proc(const struct topo *t, u32 role, u32 instance);
int topo_region(const struct topo *t, const char *name);

/* Index of the ring from one process to another, or -1. */
int topo_ring(const struct topo *t, u32 from_role, u32 from, u32 to_role, u32 to);

/* Hash of the expansion: equal for two programs that agree on it. */
u64 topo_hash(const struct topo *t);

/* What process `proc` may do with a region; proc -1 is an onlooker, who reads everything. A standby
 * may read what its primary reads or writes. */
enum topo_access {
    TOPO_NONE,
    TOPO_READ,
    TOPO_WRITE,
    TOPO_LATER, /* a standby: read, and write once it holds the role */
    TOPO_TWIN,  /* primary and standby: write, each its own copy */
};
enum topo_access topo_access(const struct topo *t, u32 region, int proc);

/* Index, in [0, PROC_LOGS_MAX), of a log within proc_block.log_cursor: the same for all processes.
 * 0 command, 1 account, 2 + i match of matching i. */
#define LOG_COMMAND  0U
#define LOG_ACCOUNT  1U
#define LOG_MATCH(i) (2U + (i))

#endif
