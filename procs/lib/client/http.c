#include "procs/lib/client/http.h"

#include <string.h>
#include <strings.h>

size_t client_http_request(const char *method, const char *target, const char *host,
                           const char *header, const char *body, size_t body_len, char *to,
                           size_t room)
{
    char length[80] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 body_len);
    int n = snprintf(to, room, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", method, target, host,
                     header ? header : "", header ? "\r\n" : "", length);
    CHECK(n > 0 && (size_t)n + body_len < room);
    if (body) memcpy(to + n, body, body_len);
    return (size_t)n + body_len;
}

/* The value of a header line within the head, or NULL. */
static const char *find(const char *head, const char *end, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = head; line + len < end;) {
        if (strncasecmp(line, name, len) == 0) return line + len;
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) return NULL;
        line = next + 1;
    }
    return NULL;
}

int client_http_read(const char *bytes, size_t len, struct client_answer *a)
{
    static const char VERSION[] = "HTTP/1.1 ";
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (!end) return memcmp(bytes, VERSION, min_u64(len, sizeof VERSION - 1)) ? -1 : 0;
    if (memcmp(bytes, VERSION, sizeof VERSION - 1) != 0) return -1;
    end += 4;
    const char *length = find(bytes, end, "Content-Length:");
    if (!length) return -1;
    u64 body = strtoul(length, NULL, 10), head = (u64)(end - bytes);
    if (body > UINT32_MAX - head) return -1;
    if (len < head + body) return 0;
    const char *connection = find(bytes, end, "Connection:");
    *a = (struct client_answer){.status = (u32)strtoul(bytes + sizeof VERSION - 1, NULL, 10),
                                .size = (u32)(head + body),
                                .body_len = (u32)body,
                                .head = bytes,
                                .body = end,
                                .closes = connection && !strncasecmp(connection, " close", 6)};
    return 1;
}

u64 client_http_number(const struct client_answer *a, const char *name, u64 otherwise)
{
    const char *value = find(a->head, a->body, name);
    char *end;
    if (!value) return otherwise;
    u64 n = strtoul(value, &end, 10);
    return end == value ? otherwise : n;
}

int client_http_code(const struct client_answer *a)
{
    static const char CODE[] = "{\"code\":";
    if (a->body_len < sizeof CODE || memcmp(a->body, CODE, sizeof CODE - 1) != 0) return -1;
    return (int)strtol(a->body + sizeof CODE - 1, NULL, 10);
}
