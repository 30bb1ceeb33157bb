/* cli.h: what the commands of eidosctl share: their table, their options, how they fail, how they
 * look at a running exchange.
 *
 *   main.c      the table: name, function, help, options, example
 *   cli.c       reading a command line by its row of the table
 *   attach.c    the running exchange: its segment, its processes, its configuration
 *   ops.c       the ring to trading, for commands that change something
 *   *.c         one file per command group
 */
#ifndef EIDOS_CLI_CLI_H
#define EIDOS_CLI_CLI_H

#include "procs/lib/config.h"
#include "procs/lib/json.h"
#include "shm/segment.h"

/* What eidosctl exits with; documented by `eidosctl help`. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* tried, and it did not work; the reason is on stderr */
    CLI_USAGE = 2,  /* the command line or the configuration is wrong; nothing was tried */
    CLI_DOWN = 3,   /* no exchange is running in this directory */
    CLI_BUSY = 4,   /* an exchange is running there already */
};

#define CLI_OPTIONS_MAX 16
#define CLI_ARGS_MAX    8

struct cli_option {
    const char *name;  /* "--levels" */
    const char *value; /* "N"; NULL for a switch; "[N]": without a value it is "" */
    const char *help;
};

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns enum cli_exit */
    const char *args;                  /* "MARKET", "" */
    const char *brief;                 /* one line */
    const char *more;                  /* a paragraph, or NULL */
    const char *example;
    u32 args_least, args_most;
    struct cli_option options[CLI_OPTIONS_MAX]; /* ends with a NULL name */
};

/* The table; ends with a NULL name. */
extern const struct command commands[];

/* The row of a name, or NULL. */
const struct command *command_find(const char *name);

/* A command line as read. */
struct cli {
    const struct command *command;
    struct config_source source;
    u32 args;
    const char *arg[CLI_ARGS_MAX];
    const char *value[CLI_OPTIONS_MAX]; /* by row of the command's options; a switch: its name */
};

/* Read the command line of command argv[0] by its row. CLI_OK, or CLI_USAGE and it said why. */
int cli_parse(struct cli *c, int argc, char **argv);

/* What was given for an option of the command, or NULL. CHECKs that the command has it. */
const char *cli_value(const struct cli *c, const char *option);

/* A whole number given for an option, in [least, most], or `otherwise` when it was not given.
 * False, and it said why, when it is none. */
bool cli_number(const struct cli *c, const char *option, u64 least, u64 most, u64 otherwise,
                u64 *value);

/* Print "eidosctl NAME: text" on stderr and return the code, an enum cli_exit. */
int cli_fail(const struct cli *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Print usage, options and example of a command. */
void cli_help(const struct command *command, FILE *out);

/* ---- Looking at a running exchange ------------------------------------------------------------*/

/* Attach to the exchange in c->source.dir. CLI_OK, or it said why not: CLI_DOWN when none runs,
 * CLI_FAILED when it can not be attached to. `role` is ROLE_COUNT or ROLE_OPS. */
int cli_attach(const struct cli *c, struct segment *s, u32 role);

/* Pid of the supervisor that holds the directory's lock, or 0. It holds it before there is a
 * segment: the exchange then is starting. */
u32 cli_supervisor(const char *dir);

/* The object of a region, or NULL with err while its owner has not built it yet. */
void *cli_object(struct segment *s, const char *region);

/* The configuration the running exchange was started with: <dir>/run/eidos.ini. 0 or -1. */
int cli_running_config(const char *dir, struct config *config);

/* Shape of the segment for a configuration. */
void cli_topo_params(const struct config *config, struct topo_params *params);

/* Are all processes ready and beating? If not, `who` names the first that is not, and why. */
bool cli_is_ready(const struct segment *s, char *who, size_t size);

u64 cli_monotonic_ns(void);
u64 cli_unix_ns(void);

/* ---- Output -----------------------------------------------------------------------------------*/

/* A JSON text to fill, and to print with a newline. Exits when there is no memory. */
void cli_json_begin(struct json_out *out);
void cli_json_end(struct json_out *out);

/* value / 10^scale as text, in one of a few buffers that are used in turn. */
const char *cli_decimal(u128 value, unsigned scale);

/* "640 MiB" likewise. */
const char *cli_bytes(u64 bytes);

/* "3 d 04:05:06" likewise. */
const char *cli_span(u64 seconds);

/* Version and commit: "0.1.0 (08eb9c1a2b3c)". */
const char *cli_build(void);

#endif
