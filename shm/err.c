#include "shm/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[ERR_TEXT_MAX];

int err_set(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror(saved));
    return -1;
}

int err_wrap(const char *fmt, ...)
{
    char inner[ERR_TEXT_MAX];
    size_t length = strlen(text);
    memcpy(inner, text, length + 1);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 3 > sizeof text) return -1;
    size_t room = sizeof text - 3 - (size_t)n;
    if (length > room) length = room;
    memcpy(text + n, ": ", 2);
    memcpy(text + n + 2, inner, length);
    text[(size_t)n + 2 + length] = 0;
    return -1;
}

const char *err_text(void)
{
    return text;
}
