#include "procs/api/http_parse.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 18U /* of Content-Length: fits u64 whatever they are */
#define CHUNK_DIGITS  8U

enum { TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8 }; /* where a character may stand */

/* RFC 9110: tokens 5.6.2, field values 5.5 (obs-text included); RFC 3986: hosts with ports, 3.2;
 * targets are any visible characters but '#', which no client sends. */
static u8 class_of(u8 c)
{
    static const char MARKS[] = "!#$%&'*+-.^_`|~", HOST_MARKS[] = "-._~!$&'()*+,;=:[]%";
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    u8 class = 0;
    if (alnum || (c && strchr(MARKS, c))) class |= TOKEN;
    if (alnum || (c && strchr(HOST_MARKS, c))) class |= HOST;
    if (c == '\t' || (c >= ' ' && c != 127)) class |= VALUE;
    if (c > ' ' && c < 127 && c != '#') class |= TARGET;
    return class;
}

static u8 classes[256];

__attribute__((constructor)) static void fill_classes(void)
{
    for (u32 c = 0; c < 256; c++) classes[c] = class_of((u8)c);
}

static bool all_are(const char *text, size_t len, u8 class)
{
    u8 all = class;
    for (size_t i = 0; i < len; i++) all &= classes[(u8)text[i]];
    return all != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool http_piece_is(const char *bytes, struct http_piece piece, const char *word)
{
    return strlen(word) == piece.len && !strncasecmp(bytes + piece.at, word, piece.len);
}

static enum http_result bad(struct http_parse *p, u16 status, const char *field, const char *detail)
{
    p->status = status;
    p->field = field;
    p->detail = detail;
    return HTTP_BAD;
}

/* ---- Lines ---- */

/* The line at p->at without its end; `most` bytes with it. DONE, MORE, or BAD without a reason: it
 * is longer. Moves p->at behind it. */
static enum http_result next_line(struct http_parse *p, const char *bytes, u32 len, u32 most,
                                  struct http_piece *line)
{
    u32 from = p->at + p->searched;
    const char *end = from < len ? memchr(bytes + from, '\n', len - from) : NULL;
    u32 size = end ? (u32)(end + 1 - bytes) - p->at : len - p->at;
    if (size > most) return HTTP_BAD;
    p->searched = end ? 0 : size;
    if (!end) return HTTP_MORE;
    *line = (struct http_piece){p->at, size - 1};
    p->at += size;
    return HTTP_DONE;
}

/* Take the CR off; -1: it is missing. A CR elsewhere belongs to no class of characters. */
static int cut_cr(const char *bytes, struct http_piece *line)
{
    if (!line->len || bytes[line->at + line->len - 1] != '\r') return -1;
    line->len--;
    return 0;
}

static enum http_result bad_end(struct http_parse *p)
{
    return bad(p, 400, "header", "lines end with CR LF");
}

/* ---- The request line ---- */

static enum http_result read_version(struct http_parse *p, const char *text, size_t len)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' ||
        !is_digit(text[7]))
        return bad(p, 400, "version", "the request line ends with HTTP/1.1");
    if (text[5] != '1' || text[7] > '1')
        return bad(p, 505, "version", "HTTP/1.1 and HTTP/1.0 are spoken here");
    p->minor = (u8)(text[7] - '0');
    return HTTP_MORE;
}

/* METHOD SP target SP version */
static enum http_result read_request_line(struct http_parse *p, const char *bytes,
                                          struct http_piece line)
{
    const char *at = bytes + line.at, *end = at + line.len;
    const char *first = memchr(at, ' ', line.len);
    const char *last = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (!last) return bad(p, 400, "request", "the request line is: method, target, HTTP/1.1");
    p->method = (struct http_piece){line.at, (u32)(first - at)};
    p->target = (struct http_piece){(u32)(first + 1 - bytes), (u32)(last - first - 1)};
    if (!p->method.len || !all_are(at, p->method.len, TOKEN))
        return bad(p, 400, "method", "the method is not a word");
    if (read_version(p, last + 1, (size_t)(end - last - 1)) == HTTP_BAD) return HTTP_BAD;
    if (p->target.len > HTTP_TARGET_MAX)
        return bad(p, 414, "path", "path and query may have up to 1023 bytes");
    if (!p->target.len || bytes[p->target.at] != '/' ||
        !all_are(bytes + p->target.at, p->target.len, TARGET))
        return bad(p, 400, "path",
                   "the target is a path that begins with / and is percent-encoded");
    p->state = HTTP_HEADERS;
    return HTTP_MORE;
}

/* ---- Headers ---- */

// clang-format off
#define NAME(text) text, sizeof text - 1

static const struct field {
    const char *name;
    u32 len;
    bool list; /* may come more than once */
} fields[HTTP_FIELDS] = {
    [HTTP_HOST]              = {NAME("Host"), false},
    [HTTP_CONTENT_LENGTH]    = {NAME("Content-Length"), false},
    [HTTP_TRANSFER_ENCODING] = {NAME("Transfer-Encoding"), false},
    [HTTP_CONNECTION]        = {NAME("Connection"), true},
    [HTTP_EXPECT]            = {NAME("Expect"), false},
    [HTTP_AUTHORIZATION]     = {NAME("Authorization"), false},
    [HTTP_UPGRADE]           = {NAME("Upgrade"), false},
    [HTTP_WS_KEY]            = {NAME("Sec-WebSocket-Key"), false},
    [HTTP_WS_VERSION]        = {NAME("Sec-WebSocket-Version"), false},
    [HTTP_ORIGIN]            = {NAME("Origin"), false},
    [HTTP_TRACEPARENT]       = {NAME("traceparent"), true},
    [HTTP_REQUEST_ID]        = {NAME("X-Request-Id"), true},
};
// clang-format on

static enum http_result read_length(struct http_parse *p, const char *text, u32 len)
{
    if (!len || len > LENGTH_DIGITS) goto refuse;
    for (u32 i = 0; i < len; i++) {
        if (!is_digit(text[i])) goto refuse;
        p->left = p->left * 10 + (u64)(text[i] - '0');
    }
    return HTTP_MORE;
refuse:
    return bad(p, 400, "Content-Length", "Content-Length is a number of bytes");
}

/* Words separated by commas. */
static void read_connection(struct http_parse *p, const char *bytes, struct http_piece value)
{
    static const char BLANKS[] = " \t";
    u32 end = value.at + value.len;
    for (u32 at = value.at; at < end;) {
        const char *comma = memchr(bytes + at, ',', end - at);
        u32 to = comma ? (u32)(comma - bytes) : end, next = to + 1;
        while (at < to && strchr(BLANKS, bytes[at])) at++;
        while (to > at && strchr(BLANKS, bytes[to - 1])) to--;
        struct http_piece word = {at, to - at};
        if (http_piece_is(bytes, word, "close")) p->closes = true;
        else if (http_piece_is(bytes, word, "keep-alive")) p->keeps = true;
        else if (http_piece_is(bytes, word, "upgrade")) p->upgrade = true;
        at = next;
    }
}

static enum http_result take_field(struct http_parse *p, const char *bytes, enum http_field field,
                                   struct http_piece value)
{
    const char *text = bytes + value.at;
    if (http_has(p, field) && !fields[field].list)
        return bad(p, 400, fields[field].name, "this header may come only once");
    p->fields = (u16)(p->fields | 1U << field);
    p->value[field] = value;
    if (field == HTTP_CONTENT_LENGTH) return read_length(p, text, value.len);
    if (field == HTTP_CONNECTION) read_connection(p, bytes, value);
    if (field == HTTP_HOST && !all_are(text, value.len, HOST))
        return bad(p, 400, "Host", "Host is a name or an address, and a port");
    if (field == HTTP_TRANSFER_ENCODING) {
        p->chunked = http_piece_is(bytes, value, "chunked");
        if (!p->chunked)
            return bad(p, value.len ? 501 : 400, "Transfer-Encoding", "only chunked is understood");
    }
    return HTTP_MORE;
}

/* Name and value of a line; BAD with the reason. */
static enum http_result split_header(struct http_parse *p, const char *bytes,
                                     struct http_piece line, u32 *name_len,
                                     struct http_piece *value)
{
    const char *at = bytes + line.at, *colon = memchr(at, ':', line.len);
    if (*at == ' ' || *at == '\t') return bad(p, 400, "header", "a header may not be folded");
    *name_len = colon ? (u32)(colon - at) : 0;
    if (!*name_len || !all_are(at, *name_len, TOKEN))
        return bad(p, 400, "header", "a header is a name, a colon at once, and a value");
    u32 from = *name_len + 1, to = line.len;
    if (!all_are(at + from, to - from, VALUE))
        return bad(p, 400, "header", "a control character in a header");
    while (from < to && (at[from] == ' ' || at[from] == '\t')) from++;
    while (to > from && (at[to - 1] == ' ' || at[to - 1] == '\t')) to--;
    *value = (struct http_piece){line.at + from, to - from};
    if (++p->headers > HTTP_HEADERS_MAX)
        return bad(p, 431, "header", "more than 64 headers or trailers");
    return HTTP_MORE;
}

static enum http_result read_header(struct http_parse *p, const char *bytes, struct http_piece line)
{
    struct http_piece value;
    u32 name_len;
    if (split_header(p, bytes, line, &name_len, &value) == HTTP_BAD) return HTTP_BAD;
    for (u32 i = 0; i < HTTP_FIELDS; i++)
        if (name_len == fields[i].len && !strncasecmp(bytes + line.at, fields[i].name, name_len))
            return take_field(p, bytes, (enum http_field)i, value);
    return HTTP_MORE;
}

/* The empty line: what do all headers together say? */
static enum http_result end_headers(struct http_parse *p, const char *bytes, u64 body_max)
{
    if (p->minor == 1 && !http_has(p, HTTP_HOST))
        return bad(p, 400, "Host", "HTTP/1.1 wants a Host header");
    if (p->chunked && http_has(p, HTTP_CONTENT_LENGTH))
        return bad(p, 400, "Content-Length", "a length beside Transfer-Encoding is ambiguous");
    if (p->chunked && p->minor == 0)
        return bad(p, 400, "Transfer-Encoding", "HTTP/1.0 has no Transfer-Encoding");
    if (p->left > body_max) return bad(p, 413, "body", "the body is too large");
    if (http_has(p, HTTP_EXPECT) && p->minor == 1) {
        if (!http_piece_is(bytes, p->value[HTTP_EXPECT], "100-continue"))
            return bad(p, 417, "Expect", "only 100-continue can be expected");
        p->expects = p->chunked || p->left;
    }
    p->keep_alive = !p->closes && (p->minor == 1 || p->keeps);
    p->body_at = p->at;
    p->state = p->chunked ? HTTP_CHUNK : HTTP_BODY;
    return HTTP_MORE;
}

/* One line of the head. */
static enum http_result read_head(struct http_parse *p, const char *bytes, u32 len, u64 body_max)
{
    struct http_piece line;
    enum http_result found = next_line(p, bytes, len, HTTP_HEAD_MAX - p->at, &line);
    if (found == HTTP_BAD) {
        bool long_target = p->state == HTTP_LINE;
        return bad(p, long_target ? 414 : 431, long_target ? "path" : "header",
                   "request line and headers may have up to 8192 bytes");
    }
    if (found == HTTP_MORE) return HTTP_MORE;
    if (cut_cr(bytes, &line)) return bad_end(p);
    found = HTTP_DONE; /* of this line */
    if (p->state == HTTP_LINE) {
        if (line.len) return read_request_line(p, bytes, line) == HTTP_BAD ? HTTP_BAD : found;
        if (p->begun) return bad(p, 400, "request", "an empty line where a request begins");
        p->begun = true;
        return found;
    }
    if (line.len) return read_header(p, bytes, line) == HTTP_BAD ? HTTP_BAD : found;
    return end_headers(p, bytes, body_max) == HTTP_BAD ? HTTP_BAD : found;
}

/* ---- The body ---- */

static enum http_result read_plain(struct http_parse *p, u32 len)
{
    if (len - p->body_at < p->left) return HTTP_MORE;
    p->body_len = (u32)p->left;
    p->at = p->body_at + p->body_len;
    return HTTP_DONE;
}

static int hex_of(char c)
{
    if (is_digit(c)) return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* size [; extension] */
static enum http_result read_size(struct http_parse *p, const char *text, u32 len, u64 body_max)
{
    u32 digits = 0;
    p->left = 0;
    for (; digits < len && digits < CHUNK_DIGITS && hex_of(text[digits]) >= 0; digits++)
        p->left = p->left << 4 | (u64)hex_of(text[digits]);
    if (!digits || (digits < len && text[digits] != ';') || !all_are(text, len, VALUE))
        return bad(p, 400, "body", "a chunk begins with its size in hex");
    if (p->body_len + p->left > body_max) return bad(p, 413, "body", "the body is too large");
    p->state = p->left ? HTTP_DATA : HTTP_TRAILER;
    return HTTP_DONE;
}

/* Bytes of a chunk, to the end of those before, and the CR LF behind them. */
static enum http_result read_data(struct http_parse *p, char *bytes, u32 len)
{
    u32 n = (u32)(len - p->at < p->left ? len - p->at : p->left);
    memmove(bytes + p->body_at + p->body_len, bytes + p->at, n);
    p->body_len += n;
    p->at += n;
    p->left -= n;
    if (p->left || len - p->at < 2) return HTTP_MORE;
    if (memcmp(bytes + p->at, "\r\n", 2) != 0)
        return bad(p, 400, "body", "a chunk is longer than its size");
    p->at += 2;
    p->state = HTTP_CHUNK;
    return HTTP_DONE;
}

/* A chunk's size, or a line behind the last. DONE: the line is read. */
static enum http_result read_chunk_line(struct http_parse *p, const char *bytes, u32 len,
                                        u64 body_max, bool *end)
{
    struct http_piece line, value;
    u32 name_len;
    enum http_result found = next_line(p, bytes, len, HTTP_LINE_MAX, &line);
    if (found == HTTP_BAD)
        return bad(p, 400, "body", "a chunk's size or a trailer has more than 256 bytes");
    if (found == HTTP_MORE) return HTTP_MORE;
    if (cut_cr(bytes, &line)) return bad_end(p);
    if (p->state == HTTP_CHUNK) return read_size(p, bytes + line.at, line.len, body_max);
    *end = !line.len; /* trailers are passed over */
    if (!*end && split_header(p, bytes, line, &name_len, &value) == HTTP_BAD) return HTTP_BAD;
    return HTTP_DONE;
}

static enum http_result read_chunked(struct http_parse *p, char *bytes, u32 *len, u64 body_max)
{
    enum http_result found = HTTP_DONE;
    bool end = false;
    while (found == HTTP_DONE && !end)
        found = p->state == HTTP_DATA ? read_data(p, bytes, *len)
                                      : read_chunk_line(p, bytes, *len, body_max, &end);
    /* close the gap that sizes leave, so that a request's room is bounded */
    u32 body_end = p->body_at + p->body_len, gap = p->at - body_end;
    memmove(bytes + body_end, bytes + p->at, *len - p->at);
    p->at -= gap;
    *len -= gap;
    return found;
}

enum http_result http_parse(struct http_parse *p, char *bytes, u32 *len, u64 body_max)
{
    enum http_result found = HTTP_DONE;
    if (*len && !p->at && !(classes[(u8)bytes[0]] & TOKEN) && bytes[0] != '\r')
        return bad(p, 400, "request", "this is not HTTP");
    while (found == HTTP_DONE && p->state <= HTTP_HEADERS)
        found = read_head(p, bytes, *len, body_max);
    if (found != HTTP_DONE) return found;
    return p->state == HTTP_BODY ? read_plain(p, *len) : read_chunked(p, bytes, len, body_max);
}
