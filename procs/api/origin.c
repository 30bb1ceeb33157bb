#include "procs/api/origin.h"

#include <string.h>
#include <strings.h>

#include "procs/api/answer.h"
#include "procs/api/routes.h"
#include "shm/err.h"

/* An origin is scheme://host[:port], as browsers send it: no path, no blank. */
static bool is_origin(struct span s)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (u32 i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (s.len > len && !strncasecmp(s.at, schemes[i], len))
            return !memchr(s.at + len, '/', s.len - len) && !memchr(s.at, ' ', s.len);
    }
    return s.len == 1 && s.at[0] == '*';
}

int origin_start(struct api *a)
{
    const char *at = a->config->api.allowed_origins.s;
    for (; *at; at += *at == ',') {
        at += strspn(at, " ");
        struct span word = {at, strcspn(at, ", ")};
        at += word.len + strspn(at + word.len, " ");
        if (!word.len) continue;
        if (a->origin_count == ORIGINS_MAX)
            return err_set("api.allowed_origins: more than %u", ORIGINS_MAX);
        if (!is_origin(word) || (*at && *at != ','))
            return err_set("api.allowed_origins: '%.*s' is no origin such as "
                           "https://trade.example.com, and not *",
                           (int)word.len, word.at);
        a->origins[a->origin_count++] = word;
    }
    return 0;
}

static bool is_any(struct span origin)
{
    return origin.len == 1;
}

u8 origin_of(const struct api *a, const struct http_parse *p, const char *bytes)
{
    struct http_piece origin = p->value[HTTP_ORIGIN], host = p->value[HTTP_HOST];
    if (!http_has(p, HTTP_ORIGIN)) return ORIGIN_OWN;
    const char *text = bytes + origin.at;
    u32 scheme = !strncasecmp(text, "https://", 8) ? 8 : !strncasecmp(text, "http://", 7) ? 7 : 0;
    if (scheme && origin.len > scheme && origin.len - scheme == host.len &&
        !strncasecmp(text + scheme, bytes + host.at, host.len))
        return ORIGIN_OWN;
    for (u32 i = 0; i < a->origin_count; i++) {
        struct span known = a->origins[i];
        if (is_any(known) || (known.len == origin.len && !strncasecmp(known.at, text, known.len)))
            return (u8)(ORIGIN_FIRST + i);
    }
    return ORIGIN_OTHER;
}

bool origin_preflight(struct api *a, struct request *r, const struct http_parse *p,
                      const char *bytes)
{
    struct problem problem;
    u16 status;
    if (!http_piece_is(bytes, p->method, "OPTIONS")) return false;
    /* No route takes it: a path that is known says so, with the Allow that belongs to it. */
    if (route_find(a, r, &status, &problem) == 0 || status != 405) return false;
    r->preflight = true;
    answer_plain(a, r, 200, "text/plain", "", 0);
    return true;
}

static void put(struct json_out *o, const char *text)
{
    json_put_raw(o, text, strlen(text));
}

void origin_headers(struct json_out *o, const struct api *a, const struct request *r)
{
    if (a->origin_count) put(o, "\r\nVary: Origin");
    if (r->origin == ORIGIN_OWN || r->origin == ORIGIN_OTHER) return;
    struct span origin = a->origins[r->origin - ORIGIN_FIRST];
    put(o, "\r\nAccess-Control-Allow-Origin: ");
    json_put_raw(o, origin.at, origin.len);
    if (r->preflight)
        put(o, "\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, DELETE"
               "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, X-Request-Id, "
               "traceparent\r\nAccess-Control-Max-Age: 600");
    else
        put(o, "\r\nAccess-Control-Expose-Headers: Retry-After, X-RateLimit-Limit, "
               "X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, traceresponse");
}
