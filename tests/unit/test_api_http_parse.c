/* The HTTP parser: good requests and every family of malformed ones, each fed whole and divided at
 * every byte and into single bytes: always the same verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "procs/api/http_parse.h"

#define BODY_MAX 64U
#define ROOM     (HTTP_HEAD_MAX + BODY_MAX + HTTP_REQUEST_ROOM)
#define HOST     "Host: a\r\n"
#define GET      "GET / HTTP/1.1\r\n"
#define POST     "POST /x HTTP/1.1\r\n" HOST
#define CHUNKED  POST "Transfer-Encoding: chunked\r\n\r\n"

static char bytes[1 << 16];

/* Feed text in pieces as a connection would, through a bounded buffer: `first` bytes, then `step`
 * at a time. `rest` is what follows a complete request. */
static enum http_result feed(struct http_parse *p, const char *text, size_t len, size_t first,
                             size_t step, u32 *rest)
{
    enum http_result found = HTTP_MORE;
    u32 held = 0;
    http_parse_begin(p);
    for (size_t at = 0, n = first; at < len && found == HTTP_MORE; at += n, n = step) {
        if (n > len - at) n = len - at;
        assert_true(held < ROOM); /* or nothing could ever come */
        if (n > ROOM - held) n = ROOM - held;
        memcpy(bytes + held, text + at, n);
        held += (u32)n;
        found = http_parse(p, bytes, &held, BODY_MAX);
        if (found == HTTP_DONE) *rest = (u32)(held - p->at + (len - at - n));
    }
    return found;
}

/* Two verdicts that say the same. */
static void assert_same(const struct http_parse *a, const struct http_parse *b,
                        enum http_result found)
{
    assert_int_equal(a->status, b->status);
    if (found == HTTP_BAD) {
        assert_string_equal(a->field, b->field);
        assert_string_equal(a->detail, b->detail);
        return;
    }
    assert_int_equal(a->body_len, b->body_len);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->fields, b->fields);
    assert_memory_equal(&a->target, &b->target, sizeof a->target);
    assert_memory_equal(a->value, b->value, sizeof a->value);
}

/* The verdict on the text, which does not depend on how it comes. `p` is as of whole feeding. */
static enum http_result verdict(struct http_parse *p, const char *text, size_t len, u32 *rest)
{
    struct http_parse other;
    u32 other_rest = 0;
    *rest = 0;
    enum http_result found = feed(p, text, len, 1, 1, rest);
    for (size_t first = 1; first <= len; first++) {
        enum http_result again = feed(&other, text, len, first, len, &other_rest);
        assert_int_equal(found, again);
        assert_int_equal(*rest, other_rest);
        assert_same(p, &other, found);
    }
    return found;
}

static void assert_refused(const char *text, size_t len, u16 status)
{
    struct http_parse p;
    u32 rest;
    if (verdict(&p, text, len, &rest) != HTTP_BAD || p.status != status)
        fail_msg("%u, not %u: %.60s", p.status, status, text);
    assert_true(p.field && p.field[0] && p.detail && p.detail[0]);
}

static const struct {
    const char *text, *body;
    bool keep_alive;
    u32 rest;
} good[] = {
    {GET HOST "\r\n", "", true, 0},
    {"\r\n" GET HOST "\r\n", "", true, 0},
    {"GET / HTTP/1.0\r\n\r\n", "", false, 0},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "", true, 0},
    {GET HOST "Connection: close\r\n\r\n", "", false, 0},
    {GET HOST "Connection: upgrade , CLOSE\r\n\r\n", "", false, 0},
    {GET HOST "Connection: a\r\nconnection: close\r\n\r\n", "", false, 0},
    {GET HOST "Connection: keep-alive,close\r\n\r\n", "", false, 0},
    {GET "hOsT:a\r\nX-Empty:\r\nX: \t a b \xff\t \r\n\r\n", "", true, 0},
    {GET "Host: [::1]:8080\r\n\r\n", "", true, 0},
    {GET HOST "\r\nGET", "", true, 3},
    {POST "Content-Length: 0\r\n\r\n", "", true, 0},
    {POST "Content-Length: 5\r\n\r\nhello", "hello", true, 0},
    {POST "Content-Length: 005\r\n\r\nhelloPOST /", "hello", true, 6},
    {POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n{}", "{}", true, 0},
    {CHUNKED "0\r\n\r\n", "", true, 0},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", true, 0},
    {CHUNKED "5;a=\"b\"\r\nhello\r\n00a\r\n, chunked!\r\n000\r\nX: y\r\nZ: \r\n\r\nGET /",
     "hello, chunked!", true, 5},
    {POST "Transfer-Encoding: CHUNKED\r\n\r\n1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n", true, 0},
};

static void test_good(void **state)
{
    (void)state;
    struct http_parse p;
    u32 rest;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        enum http_result found = verdict(&p, good[i].text, strlen(good[i].text), &rest);
        if (found != HTTP_DONE) fail_msg("%zu: %u %s", i, p.status, p.detail);
        assert_int_equal(p.keep_alive, good[i].keep_alive);
        assert_int_equal(rest, good[i].rest);
        assert_int_equal(p.body_len, strlen(good[i].body));
        assert_memory_equal(bytes + p.body_at, good[i].body, p.body_len);
    }
}

static void test_pieces(void **state)
{
    (void)state;
    static const char TEXT[] = "DELETE /a/b?c=%20&d HTTP/1.1\r\n" HOST
                               "authorization:  EIP712 x:y:z \r\nupgrade: WebSocket\r\n"
                               "Connection: keep-alive, Upgrade\r\n\r\n";
    struct http_parse p;
    u32 rest;
    assert_int_equal(verdict(&p, TEXT, sizeof TEXT - 1, &rest), HTTP_DONE);
    assert_true(http_piece_is(bytes, p.method, "DELETE"));
    assert_true(http_piece_is(bytes, p.target, "/a/b?c=%20&d"));
    assert_true(http_piece_is(bytes, p.value[HTTP_AUTHORIZATION], "EIP712 x:y:z"));
    assert_true(http_piece_is(bytes, p.value[HTTP_UPGRADE], "websocket"));
    assert_true(p.upgrade && p.keep_alive && !p.chunked && !p.expects);
    assert_false(http_has(&p, HTTP_WS_KEY));
}

/* 100 Continue is due once the head is there and the body is not. */
static void test_expects(void **state)
{
    (void)state;
    static const char TEXT[] = POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    struct http_parse p;
    u32 rest;
    assert_int_equal(verdict(&p, TEXT, sizeof TEXT - 1, &rest), HTTP_MORE);
    assert_true(p.expects);
    assert_int_equal(verdict(&p, GET HOST "Expect: 100-continue\r\n\r\n",
                             sizeof(GET HOST "Expect: 100-continue\r\n\r\n") - 1, &rest),
                     HTTP_DONE);
    assert_false(p.expects);
}

static const struct {
    u16 status;
    const char *text;
} refused[] = {
    /* the request line */
    {400, " GET / HTTP/1.1\r\n"},
    {400, "\x16\x03\x01"}, /* TLS */
    {400, "\n" GET HOST "\r\n"},
    {400, "\r\n\r\n" GET HOST "\r\n"},
    {400, "\rGET / HTTP/1.1\r\n"},
    {400, "GET\r\n"},
    {400, "GET /\r\n"},
    {400, "GET  / HTTP/1.1\r\n"},
    {400, "GET /  HTTP/1.1\r\n"},
    {400, "GET / HTTP/1.1 \r\n"},
    {400, "GET\t/\tHTTP/1.1\r\n"},
    {400, "G(T / HTTP/1.1\r\n"},
    {400, "GET / a HTTP/1.1\r\n"},
    {400, "GET / http/1.1\r\n"},
    {400, "GET / HTTP/11\r\n"},
    {400, "GET / HTTP/1.10\r\n"},
    {400, "GET / HTTP/1.1\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\r\n"},
    {400, "GET x HTTP/1.1\r\n"},
    {400, "GET * HTTP/1.1\r\n"},
    {400, "GET http://a/ HTTP/1.1\r\n"},
    {400, "CONNECT a:1 HTTP/1.1\r\n"},
    {400, "GET /\x01 HTTP/1.1\r\n"},
    {400, "GET /\x7f HTTP/1.1\r\n"},
    {400, "GET /\xc3\xa9 HTTP/1.1\r\n"},
    {400, "GET /#a HTTP/1.1\r\n"},
    {505, "GET / HTTP/2.0\r\n"},
    {505, "GET / HTTP/0.9\r\n"},
    {505, "GET / HTTP/1.2\r\n"},
    {505, "PRI * HTTP/2.0\r\n"},

    /* headers */
    {400, GET "\r\n"},
    {400, GET " " HOST},
    {400, GET HOST " folded\r\n"},
    {400, GET HOST "X: a\r\n\tfolded\r\n"},
    {400, GET "Host : a\r\n"},
    {400, GET "Host\t: a\r\n"},
    {400, GET ": a\r\n"},
    {400, GET "nonsense\r\n"},
    {400, GET "a b: c\r\n"},
    {400, GET "X: a\rb\r\n"},
    {400, GET "X: a\r\r\n"},
    {400, GET "X: a\n"},
    {400, GET "X: \x01\r\n"},
    {400, GET "X: \x7f\r\n"},
    {400, GET "X\x80: a\r\n"},
    {400, GET HOST "\n"},
    {400, GET "Host: a b\r\n"},
    {400, GET "Host: a/b\r\n"},
    {400, GET "Host: u@a\r\n"},
    {400, GET HOST HOST},
    {400, GET HOST "Authorization: a\r\nAuthorization: a\r\n"},
    {400, GET HOST "Upgrade: a\r\nupgrade: a\r\n"},
    {417, POST "Expect: tea\r\nContent-Length: 1\r\n\r\n"},

    /* lengths */
    {400, POST "Content-Length:\r\n"},
    {400, POST "Content-Length: x\r\n"},
    {400, POST "Content-Length: -5\r\n"},
    {400, POST "Content-Length: +5\r\n"},
    {400, POST "Content-Length: 5 5\r\n"},
    {400, POST "Content-Length: 5,5\r\n"},
    {400, POST "Content-Length: 0x5\r\n"},
    {400, POST "Content-Length: 5.0\r\n"},
    {400, POST "Content-Length: 18446744073709551617\r\n"},
    {400, POST "Content-Length: 5\r\nContent-Length: 5\r\n"},
    {400, POST "Content-Length: 5\r\nContent-Length: 6\r\n"},
    {413, POST "Content-Length: 65\r\n\r\n"},
    {413, POST "Content-Length: 999999999999999999\r\n\r\n"},
    {400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
    {400, POST "Transfer-Encoding: \r\n"},
    {501, POST "Transfer-Encoding: identity\r\n"},
    {501, POST "Transfer-Encoding: gzip, chunked\r\n"},
    {501, POST "Transfer-Encoding: xchunked\r\n"},
    {501, POST "Transfer-Encoding: chunked,\r\n"},
    {400, POST "Transfer-Encoding: \vchunked\r\n"},
    {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},

    /* chunks */
    {400, CHUNKED "\r\n"},
    {400, CHUNKED "zz\r\n"},
    {400, CHUNKED "-1\r\n"},
    {400, CHUNKED "0x5\r\n"},
    {400, CHUNKED " 5\r\n"},
    {400, CHUNKED "5 \r\n"},
    {400, CHUNKED "5\n"},
    {400, CHUNKED "5\rhello"
                  "\r\n"},
    {400, CHUNKED "5;\x01\r\n"},
    {400, CHUNKED "000000005\r\n"},
    {400, CHUNKED "5\r\nhello!\r\n"},
    {400, CHUNKED "5\r\nhello\n0"},
    {400, CHUNKED "5\r\nhello0\r\n"},
    {400, CHUNKED "0\r\n\n"},
    {400, CHUNKED "0\r\nnonsense\r\n"},
    {400, CHUNKED "0\r\n folded\r\n"},
    {413, CHUNKED "41\r\n"},
    {413, CHUNKED "ffffffff\r\n"},
    {413, CHUNKED "20\r\n01234567890123456789012345678901\r\n21\r\n"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_refused(refused[i].text, strlen(refused[i].text), refused[i].status);
}

static void test_nul(void **state)
{
    (void)state;
    static const char LINE[] = "GET /\0 HTTP/1.1\r\n", METHOD[] = "G\0T / HTTP/1.1\r\n";
    static const char VALUE[] = GET "X: a\0b\r\n", NAME[] = GET "X\0: a\r\n", FIRST[] = "\0";
    static const char CHUNK[] = CHUNKED "5;\0\r\n", TRAILER[] = CHUNKED "0\r\nX: \0\r\n";
    assert_refused(LINE, sizeof LINE - 1, 400);
    assert_refused(METHOD, sizeof METHOD - 1, 400);
    assert_refused(VALUE, sizeof VALUE - 1, 400);
    assert_refused(NAME, sizeof NAME - 1, 400);
    assert_refused(FIRST, 1, 400);
    assert_refused(CHUNK, sizeof CHUNK - 1, 400);
    assert_refused(TRAILER, sizeof TRAILER - 1, 400);
}

/* `count` times the unit between head and tail. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    size_t size = strlen(head) + strlen(unit) * count + strlen(tail) + 1;
    char *text = malloc(size), *at = text;
    assert_non_null(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++) at = stpcpy(at, unit);
    stpcpy(at, tail);
    return text;
}

/* What comes of it; status 0 = it is taken. */
static void limit(const char *head, const char *unit, size_t count, const char *tail, u16 status)
{
    struct http_parse whole, bits;
    u32 rest = 0, bits_rest = 0;
    char *text = repeat(head, unit, count, tail);
    size_t len = strlen(text);
    enum http_result found = feed(&bits, text, len, 1, 1, &bits_rest);
    assert_int_equal(found, feed(&whole, text, len, len / 2, len, &rest));
    assert_int_equal(bits.status, whole.status);
    assert_int_equal(rest, bits_rest);
    if (found != (status ? HTTP_BAD : HTTP_DONE) || whole.status != status)
        fail_msg("%zu x %s: %d, %u, not %u", count, unit, found, whole.status, status);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    static const char END[] = " HTTP/1.1\r\n" HOST "\r\n";
    limit("GET /", "a", HTTP_TARGET_MAX - 1, END, 0);
    limit("GET /", "a", HTTP_TARGET_MAX, END, 414);
    limit("GET /", "a", HTTP_HEAD_MAX, "", 414);
    limit(GET HOST, "X: y\r\n", HTTP_HEADERS_MAX - 1, "\r\n", 0);
    limit(GET HOST, "X: y\r\n", HTTP_HEADERS_MAX, "\r\n", 431);
    size_t most = HTTP_HEAD_MAX - strlen(GET HOST "X: \r\n\r\n");
    limit(GET HOST "X: ", "y", most, "\r\n\r\n", 0);
    limit(GET HOST "X: ", "y", most + 1, "\r\n\r\n", 431);
    limit(GET HOST "X: ", "y", most * 4, "", 431);
    limit(CHUNKED "0;", "x", HTTP_LINE_MAX - 4, "\r\n\r\n", 0);
    limit(CHUNKED "0;", "x", HTTP_LINE_MAX - 3, "\r\n\r\n", 400);
    limit(CHUNKED "0\r\n", "X: y\r\n", HTTP_HEADERS_MAX - 2, "\r\n", 0);
    limit(CHUNKED "0\r\n", "X: y\r\n", HTTP_HEADERS_MAX - 1, "\r\n", 431);
    limit(CHUNKED, "1\r\na\r\n", BODY_MAX, "0\r\n\r\n", 0);
    limit(CHUNKED, "1\r\na\r\n", BODY_MAX + 1, "0\r\n\r\n", 413);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_expects), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul),     cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
