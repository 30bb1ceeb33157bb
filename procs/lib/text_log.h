/* text_log.h: what a process says, one line each on stderr, for people or for machines:
 *
 *   2026-11-23T09:01:48.123Z info  trading: took over at sequence 1048
 *   {"ts":"2026-11-23T09:01:48.123456Z","level":"info","process":"trading","pid":71,"msg":"took
 * ..."}
 *
 * Text on a terminal, JSON everywhere else, unless [logging] says which. Lines about a request
 * carry "trace_id" and further fields. One write per line, so lines of several processes do not
 * mix. For events; of requests only those that went wrong or were slow, and all of them at level
 * debug.
 */
#ifndef EIDOS_PROCS_LIB_TEXT_LOG_H
#define EIDOS_PROCS_LIB_TEXT_LOG_H

#include "procs/lib/trace_id.h"

enum text_level { TEXT_DEBUG, TEXT_INFO, TEXT_WARN, TEXT_ERROR, TEXT_LEVELS };
enum text_format { TEXT_FORMAT_AUTO, TEXT_FORMAT_TEXT, TEXT_FORMAT_JSON };

#define TEXT_LOG_NAME_MAX 24
#define TEXT_LOG_LINE_MAX 2048 /* longer messages are cut */
#define TEXT_LOG_TIME     32

/* One more field of a line; `text` NULL: the number. */
struct text_field {
    const char *name;
    const char *text;
    u64 number;
};

/* The name that lines of this process bear from now on, for example "api@0". */
void text_log_name(const char *process);

/* Which lines are written, and how. AUTO looks at stderr as it is now. Until this is called: text,
 * from info on. */
void text_log_set(enum text_format format, enum text_level level);

/* A level that may change while the process runs: 0 = as set, else 1 + enum text_level. */
void text_log_follow(const _Atomic u8 *level);

/* Is a line of this level written? For who has work to do before it can be said. */
bool text_log_wants(enum text_level level);

bool text_log_is_json(void);

/* "debug" to "error". */
const char *text_level_name(enum text_level level);

void text_log(enum text_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same about a request, with `count` fields. */
void text_log_fields(enum text_level level, const struct trace_id *trace,
                     const struct text_field *fields, u32 count, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* What a process says while it dies, by async-signal-safe means: "eidos: MESSAGE", or an object
 * that ends with the raw JSON `more` (",\"key\":value", or ""). last_words (base.h) is the same. */
void text_log_dying(const char *message, const char *more);

/* "2026-11-23T09:01:48.123456Z" of a Unix time; `digits` of a second: 3 or 6. Async-signal-safe. */
void text_log_time(u64 unix_ns, u32 digits, char text[static TEXT_LOG_TIME]);

#endif
