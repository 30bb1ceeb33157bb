#include "procs/lib/text_log.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "procs/lib/clock.h"
#include "procs/lib/json.h"
#include "procs/lib/utf8.h"

#define ESCAPED 6 /* a byte of a message may take as many in JSON */

static char name[TEXT_LOG_NAME_MAX] = "eidos";
static enum text_level least = TEXT_INFO;
static bool json;
static u64 pid;
static const _Atomic u8 *follows;

static const char *const levels[TEXT_LEVELS] = {"debug", "info", "warn", "error"};

const char *text_level_name(enum text_level level)
{
    return levels[level];
}

void text_log_name(const char *process)
{
    snprintf(name, sizeof name, "%s", process);
    tzset(); /* gmtime_r would do it later, where files cannot be read any more */
    pid = (u64)getpid();
}

void text_log_set(enum text_format format, enum text_level level)
{
    least = level;
    pid = (u64)getpid();
    json = format == TEXT_FORMAT_JSON || (format == TEXT_FORMAT_AUTO && !isatty(STDERR_FILENO));
}

void text_log_follow(const _Atomic u8 *level)
{
    follows = level;
}

bool text_log_wants(enum text_level level)
{
    u32 now = follows ? atomic_load_explicit(follows, memory_order_relaxed) : 0;
    return level >= (now ? now - 1 : (u32)least);
}

bool text_log_is_json(void)
{
    return json;
}

static void put_digits(char **at, u64 value, u32 digits)
{
    for (u32 i = digits; i-- > 0; value /= 10) (*at)[i] = (char)('0' + value % 10);
    *at += digits;
}

void text_log_time(u64 unix_ns, u32 digits, char text[static TEXT_LOG_TIME])
{
    /* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
    u64 seconds = unix_ns / 1000000000UL, day = seconds / 86400 + 719468, era = day / 146097;
    u64 doe = day - era * 146097;
    u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    u64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    u64 month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    char *at = text;
    put_digits(&at, year, 4), *at++ = '-';
    put_digits(&at, month, 2), *at++ = '-';
    put_digits(&at, doy - (153 * mp + 2) / 5 + 1, 2), *at++ = 'T';
    put_digits(&at, seconds / 3600 % 24, 2), *at++ = ':';
    put_digits(&at, seconds / 60 % 60, 2), *at++ = ':';
    put_digits(&at, seconds % 60, 2), *at++ = '.';
    put_digits(&at, unix_ns % 1000000000UL / (digits == 3 ? 1000000 : 1000), digits);
    *at++ = 'Z', *at = '\0';
}

static void say(char *line, size_t length)
{
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0) return; /* nobody is left to tell */
}

/* Bytes that are no UTF-8 (a file's name in another encoding) would make the line unreadable. */
static void make_utf8(char *text)
{
    for (size_t left = strlen(text), n; left; left -= n, text += n) {
        n = utf8_character(text, left);
        if (!n) *text = '?', n = 1;
    }
}

static void say_json(enum text_level level, u64 now_ns, const char *message,
                     const struct trace_id *trace, const struct text_field *fields, u32 count)
{
    char line[ESCAPED * TEXT_LOG_LINE_MAX + 4096];
    char text[TEXT_LOG_TIME], id[TRACE_ID_TEXT];
    struct json_out o;
    json_out_init(&o, line, sizeof line - 1);
    text_log_time(now_ns, 6, text);
    json_put_open(&o, '{');
    json_put_key(&o, "ts"), json_put_cstring(&o, text);
    json_put_key(&o, "level"), json_put_cstring(&o, levels[level]);
    json_put_key(&o, "process"), json_put_cstring(&o, name);
    json_put_key(&o, "pid"), json_put_u64(&o, pid);
    json_put_key(&o, "msg"), json_put_cstring(&o, message);
    if (trace) {
        trace_id_format(*trace, id);
        json_put_key(&o, "trace_id"), json_put_cstring(&o, id);
    }
    for (u32 i = 0; i < count; i++) {
        json_put_key(&o, fields[i].name);
        if (fields[i].text) json_put_cstring(&o, fields[i].text);
        else json_put_u64(&o, fields[i].number);
    }
    json_put_close(&o, '}');
    if (!o.full) say(line, o.len);
}

static void say_text(enum text_level level, u64 now_ns, const char *message,
                     const struct trace_id *trace, const struct text_field *fields, u32 count)
{
    char line[TEXT_LOG_LINE_MAX + 512], text[TEXT_LOG_TIME], id[TRACE_ID_TEXT];
    text_log_time(now_ns, 3, text);
    size_t room = sizeof line - 1;
    size_t n = (size_t)snprintf(line, room, "%s %-5s %s: %s", text, levels[level], name, message);
    for (u32 i = 0; i < count && n < room; i++) {
        n += (size_t)snprintf(line + n, room - n, "%s%s=", i ? " " : "; ", fields[i].name);
        if (n >= room) break;
        if (fields[i].text) n += (size_t)snprintf(line + n, room - n, "%s", fields[i].text);
        else n += (size_t)snprintf(line + n, room - n, "%lu", fields[i].number);
    }
    if (trace && n < room) {
        trace_id_format(*trace, id);
        n += (size_t)snprintf(line + n, room - n, "%strace_id=%s", count ? " " : "; ", id);
    }
    say(line, min_u64(n, room - 1));
}

__attribute__((format(printf, 5, 0))) static void say_all(enum text_level level,
                                                          const struct trace_id *trace,
                                                          const struct text_field *fields,
                                                          u32 count, const char *fmt, va_list args)
{
    char message[TEXT_LOG_LINE_MAX];
    vsnprintf(message, sizeof message, fmt, args);
    u64 now_ns = clock_unix();
    if (json) make_utf8(message);
    if (json) say_json(level, now_ns, message, trace, fields, count);
    else say_text(level, now_ns, message, trace, fields, count);
}

void text_log(enum text_level level, const char *fmt, ...)
{
    va_list args;
    if (!text_log_wants(level)) return;
    va_start(args, fmt);
    say_all(level, NULL, NULL, 0, fmt, args);
    va_end(args);
}

void text_log_fields(enum text_level level, const struct trace_id *trace,
                     const struct text_field *fields, u32 count, const char *fmt, ...)
{
    va_list args;
    if (!text_log_wants(level)) return;
    va_start(args, fmt);
    say_all(level, trace, fields, count, fmt, args);
    va_end(args);
}

/* --- Last words: by async-signal-safe means only -----------------------------------------------
 */

struct words {
    char at[48 << 10];
    size_t length;
};

static void add(struct words *w, const char *text, bool escape)
{
    for (; *text && w->length + 2 < sizeof w->at; text++) {
        bool plain = (u8)*text >= ' ' && (u8)*text < 127;
        if (escape && (*text == '"' || *text == '\\')) w->at[w->length++] = '\\';
        w->at[w->length] = '?';
        if (!escape || plain) w->at[w->length] = *text;
        w->length++;
    }
}

static void add_number(struct words *w, u64 value)
{
    char digits[21] = {0};
    u32 at = sizeof digits - 1;
    do digits[--at] = "0123456789"[value % 10];
    while (value /= 10);
    add(w, digits + at, false);
}

void text_log_dying(const char *message, const char *more)
{
    static struct words w;
    char time[TEXT_LOG_TIME];
    w.length = 0;
    if (json) {
        text_log_time(clock_unix(), 6, time);
        add(&w, "{\"ts\":\"", false), add(&w, time, false);
        add(&w, "\",\"level\":\"error\",\"process\":\"", false), add(&w, name, true);
        add(&w, "\",\"pid\":", false), add_number(&w, pid);
        add(&w, ",\"msg\":\"", false), add(&w, message, true);
        add(&w, "\"", false), add(&w, more, false);
        add(&w, "}", false);
    } else {
        add(&w, "eidos: ", false), add(&w, message, false);
    }
    say(w.at, w.length);
}

void last_words(const char *message)
{
    text_log_dying(message, "");
}
