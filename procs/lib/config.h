/* config.h: the options of an exchange, from the first source to the last, later wins:
 *
 *   conf/eidos.ini, part of the binary        every option, its meaning and default: the reference
 *   <dir>/eidos.ini, or --config FILE         what differs
 *   EIDOS_SECTION_KEY in the environment      EIDOS_API_PORT=9000
 *   --set section.key=value                   as often as needed
 *
 * An unknown section or key and a bad value are errors that name the place, the value, what is
 * allowed and the nearest known key. A new option takes a field here, a line in config_keys.h and a
 * paragraph in conf/eidos.ini; the unit test fails while one of them is missing.
 */
#ifndef EIDOS_PROCS_LIB_CONFIG_H
#define EIDOS_PROCS_LIB_CONFIG_H

#include "shm/base.h"

#define CONFIG_TEXT_MAX  200 /* of a text or path, with its NUL */
#define CONFIG_SETS_MAX  64  /* --set options on one command line */
#define CONFIG_KEYS_MAX  128
#define CONFIG_CORES_MAX 256

enum config_env { ENV_DEV, ENV_TEST, ENV_PROD };
/* In the order of text_log.h. */
enum config_logging { LOGGING_AUTO, LOGGING_TEXT, LOGGING_JSON };
enum config_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };
enum config_durability { DURABILITY_MEMORY, DURABILITY_DISK, DURABILITY_KAFKA };
enum config_hugepages { HUGEPAGES_AUTO, HUGEPAGES_ON, HUGEPAGES_OFF };
enum config_origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

struct config_text {
    char s[CONFIG_TEXT_MAX];
};

struct config_address {
    u8 bytes[20];
};

struct config_cores {
    u32 count;
    u16 core[CONFIG_CORES_MAX];
};

/* Times are in nanoseconds, sizes in bytes, whatever unit they were written in. */
struct config {
    struct {
        enum config_env env;
        u64 chain_id;
        struct config_address verifying_contract;
    } exchange;
    struct {
        struct config_text listen; /* IPv4 or IPv6 address */
        u16 port;
        struct config_text tls_certificate, tls_key; /* both empty: plain */
        struct config_text allowed_origins;
        u32 workers;
        u32 connections_max, connections_per_address;
        u64 request_timeout_ns, read_timeout_ns, idle_timeout_ns;
        u64 body_max;
    } api;
    struct {
        u32 workers;
    } verify;
    struct {
        u32 workers;
        u32 orders_max;
        bool standby;
    } matching;
    struct {
        u32 accounts_max, balances_max, orders_max, transfers_max;
        bool standby;
    } trading;
    struct {
        u32 markets_max;
        u32 keep_1m, keep_5m, keep_15m, keep_30m; /* candles of each market */
        u32 keep_1h, keep_4h, keep_1d, keep_1w;
    } klines;
    struct {
        u32 rows, rows_per_wallet;
    } history;
    struct {
        u32 open_orders_per_market, resting_orders_per_market, expiry_days_max;
        bool rates;
        u32 orders_per_second, cancels_per_second, queries_per_second, withdrawals_per_second;
        u64 withdraw_single, withdraw_daily; /* whole units of the first market's quote token */
        u32 withdraw_per_hour, withdraw_per_day;
        u32 requests_per_minute, requests_per_second_in_all;
        struct config_text exempt; /* addresses and prefixes */
    } limits;
    struct {
        u64 command_bytes, match_bytes, account_bytes; /* powers of two */
    } log;
    struct {
        enum config_durability durability;
        u64 segment_bytes, batch_bytes_max;
        u64 low_disk_bytes, retain_ns;
    } journal;
    struct {
        u64 interval_ns;
        u32 keep;
    } snapshot;
    struct {
        struct config_text listen;
        u16 port;
    } ops;
    struct {
        enum config_hugepages hugepages;
        struct config_text huge_dir, shm_dir;
    } shm;
    struct {
        u32 entries;
    } trace;
    struct {
        enum config_logging format;
        enum config_level level;
        u64 slow_request_ns;
    } logging;
    struct {
        u32 spin_us;
        struct config_cores pin_cores;
        struct config_text users; /* user.h */
        bool sandbox;
    } run;

    struct config_text dir;     /* everything the instance owns lies below; absolute */
    u8 origin[CONFIG_KEYS_MAX]; /* enum config_origin of each key, in the order of config_keys.h */
};

/* Where a configuration comes from. The strings are borrowed, usually from argv. */
struct config_source {
    struct config_text dir;   /* absolute */
    const char *file;         /* --config; NULL: <dir>/eidos.ini, if there is one */
    const char *markets_file; /* --markets; NULL: <dir>/markets.ini, if there is one */
    char **env;               /* as environ; NULL: none */
    u32 sets;
    const char *set[CONFIG_SETS_MAX]; /* "section.key=value" */
};

/* Take --dir, --config, --markets and --set (as `--x value` or `--x=value`) out of argv, wherever
 * they stand before a "--", and leave the rest in order. The directory is, first found: --dir,
 * EIDOS_DIR, var/ of the source tree the program was built in, /var/lib/eidos. 0 or -1. */
int config_args(int *argc, char **argv, struct config_source *source);

/* The opposite: options that give a child process the same source; argv has room for `room`
 * pointers. Returns how many were written. They borrow from `source`. CHECKs that there is room:
 * 6 + 2 x sets is enough. */
u32 config_pass(const struct config_source *source, const char **argv, u32 room);

/* Fill `config` from all sources and check what must fit together. 0 or -1. */
int config_load(struct config *config, const struct config_source *source);

/* Write the configuration as a file that loads to the same, saying what is not a default. */
void config_print(const struct config *config, FILE *out);

/* Explain "section.key": meaning, range, default, name in the environment. -1 if unknown. */
int config_describe(const char *name, FILE *out);

/* Name of key i, "section.key" into name[CONFIG_TEXT_MAX]; false when there is no such key. For
 * tests, help and shell completion. */
bool config_key_name(u32 i, char *name);

/* The reference itself: conf/eidos.ini and conf/markets.ini as they were at build time. */
extern const char config_default_text[], config_default_markets_text[];

#endif
