/* http_parse.h: one HTTP/1.1 request out of bytes as they come. Knows no socket and allocates
 * nothing: what it says depends on the bytes alone, not on how they were divided.
 *
 *   LINE --request line--> HEADERS --empty line--> BODY    --Content-Length bytes-------------->
 * end
 *                                            \---> CHUNK --size--> DATA --> CHUNK ... TRAILER -->
 * end
 *
 * It is strict, so that no proxy in front can see other requests in the same bytes: lines end with
 * CR LF; no folded lines, no space before a colon, no control characters; a length once, as digits,
 * never beside Transfer-Encoding, which is "chunked" alone. Chunks are put together in place.
 */
#ifndef EIDOS_API_HTTP_PARSE_H
#define EIDOS_API_HTTP_PARSE_H

#include "shm/base.h"

#define HTTP_HEAD_MAX     8192U /* request line and headers: a browser with its cookies */
#define HTTP_TARGET_MAX   1023U /* path and query */
#define HTTP_HEADERS_MAX  64U
#define HTTP_LINE_MAX     256U  /* of a chunk's size with its extensions, and of a trailer */
#define HTTP_REQUEST_ROOM 1024U /* bytes beside head and body that a request may need at once */

/* The headers that mean something here; all others are checked for form and passed over. */
enum http_field {
    HTTP_HOST,
    HTTP_CONTENT_LENGTH,
    HTTP_TRANSFER_ENCODING,
    HTTP_CONNECTION,
    HTTP_EXPECT,
    HTTP_AUTHORIZATION,
    HTTP_UPGRADE,
    HTTP_WS_KEY,
    HTTP_WS_VERSION,
    HTTP_TRACEPARENT,
    HTTP_REQUEST_ID,
    HTTP_ORIGIN,
    HTTP_FIELDS,
};

enum http_state { HTTP_LINE, HTTP_HEADERS, HTTP_BODY, HTTP_CHUNK, HTTP_DATA, HTTP_TRAILER };

enum http_result {
    HTTP_MORE, /* the request is not complete */
    HTTP_DONE, /* bytes [0, at) are the request */
    HTTP_BAD,  /* status, field and detail say why; the connection cannot go on */
};

/* A piece of the request's bytes. */
struct http_piece {
    u32 at, len;
};

struct http_parse {
    u32 at;                               /* bytes understood */
    u32 searched;                         /* from `at` on, without an end of line */
    u8 state;                             /* enum http_state */
    bool begun;                           /* the the empty line that may come first has come */
    bool chunked, closes, keeps, upgrade; /* `closes` to `upgrade`: words of Connection */
    bool keep_alive;                      /* another request may follow */
    bool expects; /* the client waits for 100 Continue; the caller clears it */
    u8 minor;     /* of the version, 0 or 1 */
    u8 headers;
    u16 fields; /* bit per enum http_field: it was there */
    u16 status; /* of a refusal */
    const char *field, *detail;
    struct http_piece method, target;
    struct http_piece value[HTTP_FIELDS]; /* {0, 0} = absent or empty */
    u64 left;                             /* bytes of the body, or of the chunk, to come */
    u32 body_at, body_len;
};

static inline void http_parse_begin(struct http_parse *p)
{
    *p = (struct http_parse){0};
}

/* Go on with bytes[0..*len), which begin with the request and still hold what they held at the last
 * call. Chunks move within them, and *len shrinks with that. A request needs at most HTTP_HEAD_MAX
 * + body_max + HTTP_REQUEST_ROOM bytes at once. */
enum http_result http_parse(struct http_parse *p, char *bytes, u32 *len, u64 body_max);

static inline bool http_has(const struct http_parse *p, enum http_field field)
{
    return p->fields >> field & 1;
}

/* Is the piece this word? Case is ignored. */
bool http_piece_is(const char *bytes, struct http_piece piece, const char *word);

#endif
