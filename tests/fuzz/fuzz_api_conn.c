/* fuzz_api_conn.c: bytes on an HTTP connection, as the parser sees them. The first byte says where
 * they are divided; whatever that is, the verdicts are the same, and every refusal has a status, a
 * field and a detail. Requests follow each other as on a kept connection.
 */
#include <string.h>

#include "procs/api/http_parse.h"

#define BODY_MAX 512U
#define ROOM     (HTTP_HEAD_MAX + BODY_MAX + HTTP_REQUEST_ROOM)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* What one request came to. */
struct verdict {
    enum http_result found;
    u32 used; /* of the text */
    struct http_parse parse;
    char body[BODY_MAX];
};

static void check_done(const struct http_parse *p, const char *bytes, u32 held)
{
    CHECK(p->at <= held && p->body_at + p->body_len <= p->at && p->body_len <= BODY_MAX);
    CHECK(p->method.len && p->target.len && p->target.len <= HTTP_TARGET_MAX);
    CHECK(bytes[p->target.at] == '/' && !p->left == (p->chunked || !p->body_len));
    CHECK(p->minor == 0 || http_has(p, HTTP_HOST));
    for (u32 i = 0; i < HTTP_FIELDS; i++) CHECK(p->value[i].at + p->value[i].len < p->body_at);
}

/* Read one request that comes in pieces of `step` bytes through memory as large as promised. */
static void read_one(struct verdict *v, const u8 *text, size_t size, size_t step)
{
    char *bytes = malloc(ROOM);
    struct http_parse *p = &v->parse;
    u32 held = 0;
    size_t at = 0;
    CHECK(bytes);
    memset(v, 0, sizeof *v);
    http_parse_begin(p);
    while (v->found == HTTP_MORE && at < size) {
        size_t n = step < size - at ? step : size - at;
        CHECK(held < ROOM); /* or the connection would be stuck */
        if (n > ROOM - held) n = ROOM - held;
        memcpy(bytes + held, text + at, n);
        held += (u32)n;
        at += n;
        v->found = http_parse(p, bytes, &held, BODY_MAX);
    }
    if (v->found == HTTP_DONE) {
        check_done(p, bytes, held);
        v->used = (u32)(at - (held - p->at));
        memcpy(v->body, bytes + p->body_at, p->body_len);
    } else if (v->found == HTTP_BAD) {
        CHECK(p->status >= 400 && p->status < 600 && p->field[0] && p->detail[0]);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct verdict whole, parts;
    if (!size) return 0;
    size_t step = 1 + data[0] % 64U;
    for (data++, size--; size; data += whole.used, size -= whole.used) {
        read_one(&whole, data, size, size);
        read_one(&parts, data, size, step);
        CHECK(whole.found == parts.found && whole.used == parts.used);
        CHECK(whole.parse.status == parts.parse.status);
        CHECK(whole.parse.field == parts.parse.field && whole.parse.detail == parts.parse.detail);
        if (whole.found != HTTP_DONE) break;
        CHECK(whole.parse.keep_alive == parts.parse.keep_alive);
        CHECK(whole.parse.body_len == parts.parse.body_len);
        CHECK(!memcmp(whole.parse.value, parts.parse.value, sizeof whole.parse.value));
        CHECK(!memcmp(whole.body, parts.body, sizeof whole.body));
    }
    return 0;
}
