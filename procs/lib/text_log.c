#include "procs/lib/text_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "shm/base.h"

static char name[TEXT_LOG_NAME_MAX] = "eidos";

void text_log_name(const char *process)
{
    snprintf(name, sizeof name, "%s", process);
    tzset(); /* gmtime_r would do it later */
}

void text_log(enum text_level level, const char *fmt, ...)
{
    static const char *const levels[] = {"info ", "warn ", "error"};
    char line[TEXT_LOG_LINE_MAX];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "%FT%T", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
                          levels[level], name);
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
    n = min_u64(n + (length > 0 ? (size_t)length : 0), sizeof line - 1);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) return; /* nobody is left to tell */
}
