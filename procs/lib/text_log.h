/* text_log.h: what a process says to people, one line each on stderr:
 *
 *   2026-11-23T09:01:48.123Z info  trading: took over at sequence 1048
 *
 * One write per line, so lines of several processes do not mix. For events, never per order.
 */
#ifndef EIDOS_PROCS_LIB_TEXT_LOG_H
#define EIDOS_PROCS_LIB_TEXT_LOG_H

enum text_level { TEXT_INFO, TEXT_WARN, TEXT_ERROR };

#define TEXT_LOG_NAME_MAX 24
#define TEXT_LOG_LINE_MAX 2048 /* longer messages are cut */

/* The name that lines bear from now on, for example "api@0". Call it before the sandbox, while the
 * C library may still read files. */
void text_log_name(const char *process);

void text_log(enum text_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
