/* exchange.h: a whole private exchange, run as an operator would: `eidosctl up --detach` in a
 * directory of its own, on ports the host chooses, with small arenas.
 *
 * The program that uses this becomes the reaper of what it starts, so that a killed process is
 * gone and not a zombie, and nothing survives the test.
 */
#ifndef EIDOS_TESTS_LIB_EXCHANGE_H
#define EIDOS_TESTS_LIB_EXCHANGE_H

#include <jansson.h>
#include <sys/types.h>

#include "shm/base.h"

#define EXCHANGE_PROCS_MAX 32
#define EXCHANGE_SETS_MAX  16
#define EXCHANGE_SAID_MAX  (64U << 10)

struct exchange {
    char dir[64];
    const char *sets[EXCHANGE_SETS_MAX]; /* "section.key=value", beyond the small sizes */
    u32 set_count;
    u32 user;                     /* run eidosctl as this uid; 0 = as oneself */
    u32 port;                     /* of the first api; 0 = not known */
    pid_t supervisor;             /* 0 = not known */
    u32 count;                    /* of processes, the supervisor left out */
    char said[EXCHANGE_SAID_MAX]; /* stdout and stderr of the last eidosctl */
    struct {
        char name[24];
        pid_t pid;
        bool ready;
    } procs[EXCHANGE_PROCS_MAX];
};

/* Make the directory, below /tmp. */
void exchange_make(struct exchange *x);

/* Kill what still runs, remove its directory and its shared memory. */
void exchange_remove(struct exchange *x);

/* Run eidosctl with the words of `line`, separated by blanks, and --dir; returns its exit code, or
 * -1 when it ended by a signal or took longer than a minute. x->said is what it printed. */
int exchange_ctl(struct exchange *x, const char *line);

/* The same without waiting: exchange_is_done tells when it has ended, and then its exit code. */
pid_t exchange_begin(struct exchange *x, const char *line);
bool exchange_is_done(struct exchange *x, pid_t pid, int *code);

/* "up --detach" with all the options: for exchange_ctl and exchange_begin. */
const char *exchange_up_line(const struct exchange *x);

/* Start and wait until it is ready; returns the exit code of what failed, or 0. */
int exchange_up(struct exchange *x);

/* Make and start it; -1 when it does not start, with what it said on stderr. */
int exchange_start(struct exchange *x);

/* Stop in order; returns the exit code. */
int exchange_down(struct exchange *x);

/* Stop in order, kill what is left, remove everything; returns the exit code of stopping. */
int exchange_end(struct exchange *x);

/* Ask who there is: fills port, supervisor and procs. False when nothing runs or it starts. */
bool exchange_look(struct exchange *x);

/* Pid of a process by name ("api@0", "trading"), 0 = none. */
pid_t exchange_pid(const struct exchange *x, const char *name);

/* Is everybody there and ready, as of the last look? */
bool exchange_is_ready(const struct exchange *x);

/* kill -9; with ALL the supervisor first, then everybody, and waits until they are gone. */
void exchange_kill(pid_t pid);
void exchange_kill_all(struct exchange *x);

/* kill -9 all that this program started and that still lives, whether or not it can be asked. */
void exchange_kill_strays(void);

/* `status --json`; the caller frees it. NULL when it is not running. */
json_t *exchange_status(struct exchange *x);

/* Credit `amount` (a decimal string) of a token; CHECKs that it works. */
void exchange_credit(struct exchange *x, const char *wallet, const char *token, const char *amount);

/* Print the ends of its processes' logs, for who has to find out why. */
void exchange_show_logs(const struct exchange *x);

/* Milliseconds of a clock that only goes forward. */
u64 exchange_ms(void);

/* Run a shell command on paths of one's own making; CHECKs that it succeeds. */
void exchange_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
