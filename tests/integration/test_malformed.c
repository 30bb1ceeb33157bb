/* test_malformed.c: requests as no honest client sends them, one family a row: what is answered,
 * and that nothing hidden in them is taken for a second request. The exchange goes on as if nothing
 * had been, which each row's last step asks over a fresh connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/exchange.h"
#include "tests/lib/raw.h"

#define GET                "GET /api/v1/time HTTP/1.1\r\nHost: x\r\n"
#define TIME               GET "\r\n"
#define POST               "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\n"
#define HIDDEN             "GET /api/v1/markets HTTP/1.1\r\nHost: x\r\n\r\n"
#define JSON(text, length) POST "Content-Length: " length "\r\n\r\n" text

enum then { ENDS, GOES_ON }; /* what becomes of the connection */

static struct exchange x;

#define ROW(name, text, status, then) \
    { \
        name, text, sizeof(text) - 1, status, then \
    }
static const struct row {
    const char *name, *text;
    size_t len;
    int status;
    enum then then;
} rows[] = {
    ROW("length beside chunks",
        POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, 400, ENDS),
    ROW("chunks beside length",
        POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" HIDDEN, 400, ENDS),
    ROW("two lengths", POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" HIDDEN, 400, ENDS),
    ROW("two equal lengths", POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, ENDS),
    ROW("a list of lengths", POST "Content-Length: 2, 2\r\n\r\n{}", 400, ENDS),
    ROW("negative length", POST "Content-Length: -1\r\n\r\n", 400, ENDS),
    ROW("signed length", POST "Content-Length: +2\r\n\r\n{}", 400, ENDS),
    ROW("length in hex", POST "Content-Length: 0x2\r\n\r\n{}", 400, ENDS),
    ROW("huge length", POST "Content-Length: 99999999999999999999999999\r\n\r\n", 400, ENDS),
    ROW("body too large", POST "Content-Length: 1000000\r\n\r\n", 413, ENDS),
    ROW("other coding", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, ENDS),
    ROW("chunked twice",
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
        ENDS),
    ROW("disguised coding", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" HIDDEN, 501, ENDS),
    ROW("coding behind a vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n" HIDDEN,
        400, ENDS),
    ROW("chunk size is no hex", POST "Transfer-Encoding: chunked\r\n\r\nxy\r\n\r\n", 400, ENDS),
    ROW("chunk size overflows", POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400,
        ENDS),
    ROW("chunk longer than its size", POST "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        400, ENDS),
    ROW("chunk ends with LF", POST "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n", 400, ENDS),
    ROW("chunks in HTTP/1.0",
        "POST /api/v1/orders HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ENDS),
    ROW("folded header", GET "X: a\r\n b\r\n\r\n", 400, ENDS),
    ROW("bare LF", "GET /api/v1/time HTTP/1.1\nHost: x\n\n", 400, ENDS),
    ROW("bare CR", GET "X: a\rY: b\r\n\r\n", 400, ENDS),
    ROW("NUL in a header", GET "X: a\0b\r\n\r\n", 400, ENDS),
    ROW("NUL in the path", "GET /api/v1/time\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("blank before the colon", GET "X : a\r\n\r\n", 400, ENDS),
    ROW("header without a name", GET ": a\r\n\r\n", 400, ENDS),
    ROW("header without a colon", GET "Xa\r\n\r\n", 400, ENDS),
    ROW("no host", "GET /api/v1/time HTTP/1.1\r\n\r\n", 400, ENDS),
    ROW("two hosts", GET "Host: y\r\n\r\n", 400, ENDS),
    ROW("host with a path", "GET /api/v1/time HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, ENDS),
    ROW("absolute target", "GET http://x/api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("a proxy's method", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("unknown method", "BREW /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n", 405, GOES_ON),
    ROW("method in lower case", "get /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n", 405, GOES_ON),
    ROW("method is no word", "G@T /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("two blanks", "GET  /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("no version", "GET /api/v1/time\r\nHost: x\r\n\r\n", 400, ENDS),
    ROW("version 2", "GET /api/v1/time HTTP/2.0\r\nHost: x\r\n\r\n", 505, ENDS),
    ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ENDS),
    ROW("TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, ENDS),
    ROW("other expectation", POST "Expect: gold\r\nContent-Length: 2\r\n\r\n{}", 417, ENDS),
    ROW("bad percent-encoding", "GET /api/v1/depth/BTC-USDC?limit=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        400, GOES_ON),
    ROW("encoded NUL", "GET /api/v1/depth/BTC-USDC?limit=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        GOES_ON),
    ROW("parameter twice", "GET /api/v1/depth/BTC-USDC?limit=5&limit=6 HTTP/1.1\r\nHost: x\r\n\r\n",
        400, GOES_ON),
    ROW("huge number",
        "GET /api/v1/depth/BTC-USDC?limit=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        GOES_ON),
    ROW("way up the tree", "GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404,
        GOES_ON),
    ROW("JSON key twice", JSON("{\"a\":1,\"a\":2}", "13"), 400, GOES_ON),
    ROW("JSON with a mark", JSON("\xef\xbb\xbf{}", "5"), 400, GOES_ON),
    ROW("JSON is no UTF-8", JSON("{\"a\":\"\xff\xfe\"}", "10"), 400, GOES_ON),
    ROW("JSON surrogate alone", JSON("{\"a\":\"\\ud800\"}", "14"), 400, GOES_ON),
    ROW("JSON number too large", JSON("{\"a\":1e999}", "11"), 400, GOES_ON),
    ROW("JSON goes on", JSON("{} {}", "5"), 400, GOES_ON),
    ROW("no body", POST "Content-Length: 0\r\n\r\n", 400, GOES_ON),
};

static int start(void **state)
{
    (void)state;
    return exchange_start(&x);
}

static int stop(void **state)
{
    (void)state;
    return exchange_end(&x);
}

static bool is_well(void)
{
    struct raw_answer a;
    int fd = raw_connect(x.port);
    bool well = raw_ask(fd, TIME, &a) == 200;
    close(fd);
    return well;
}

static void check(const struct row *r)
{
    struct raw_answer a;
    int fd = raw_connect(x.port);
    assert_true(fd >= 0 && raw_send(fd, r->text, r->len));
    int status = raw_read(fd, &a, false);
    if (status != r->status) fail_msg("%s: answered %d, expected %d", r->name, status, r->status);
    if (raw_code(&a) <= 0) fail_msg("%s: without a code: %s", r->name, a.text + a.head_len);
    if (r->then == ENDS && !raw_ends(fd, 5000)) fail_msg("%s: the connection goes on", r->name);
    if (r->then == GOES_ON && raw_ask(fd, TIME, &a) != 200)
        fail_msg("%s: the next request is not answered", r->name);
    if (strstr(a.text, "tick_size")) fail_msg("%s: the hidden request was answered", r->name);
    close(fd);
    if (!is_well()) fail_msg("%s: afterwards nobody is served", r->name);
}

static void each_is_refused_and_nothing_hidden_passes(void **state)
{
    (void)state;
    for (u32 i = 0; i < COUNT_OF(rows); i++) check(&rows[i]);
    printf("%zu families\n", COUNT_OF(rows));
}

/* Too long, each in its own way. */
static void overlong_is_refused(void **state)
{
    static const struct {
        const char *begin, *end;
        size_t count;
        int status;
        char fill;
    } longs[] = {
        {"GET /", " HTTP/1.1\r\nHost: x\r\n\r\n", 2000, 414, 'a'},
        {GET "X: ", "\r\n\r\n", 9000, 431, 'a'},
        {"", "", 20000, 414, 'G'},
        {POST "Content-Length: 9000\r\n\r\n", "", 9000, 400, '['}, /* deep */
        {POST "Transfer-Encoding: chunked\r\n\r\n1;", "\r\n", 1000, 400, 'a'},
    };
    static char text[32768];
    struct raw_answer a;
    (void)state;
    for (u32 i = 0; i < COUNT_OF(longs); i++) {
        size_t n = strlen(longs[i].begin);
        memcpy(text, longs[i].begin, n);
        memset(text + n, longs[i].fill, longs[i].count);
        n += longs[i].count;
        memcpy(text + n, longs[i].end, strlen(longs[i].end));
        n += strlen(longs[i].end);
        int fd = raw_connect(x.port);
        raw_send(fd, text, n);
        assert_int_equal(raw_read(fd, &a, false), longs[i].status);
        close(fd);
        assert_true(is_well());
    }
}

/* What is unusual but right works: pipelined, byte by byte, HEAD, 100-continue, chunks, HTTP/1.0.
 */
static void the_unusual_is_served(void **state)
{
    static const char slow[] = "\r\nGET /api/v1/time HTTP/1.1\r\nhOST:x\r\nX:\t y \r\n\r\n";
    struct raw_answer a;
    char text[256];
    (void)state;
    int fd = raw_connect(x.port);
    assert_true(raw_say(fd, TIME TIME TIME));
    for (u32 i = 0; i < 3; i++) assert_int_equal(raw_read(fd, &a, false), 200);
    for (u32 i = 0; i < sizeof slow - 1; i++) assert_true(raw_send(fd, slow + i, 1));
    assert_int_equal(raw_read(fd, &a, false), 200);
    assert_true(raw_say(fd, "HEAD /api/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(raw_read(fd, &a, true), 200);
    assert_true(strtoul(raw_header(&a, "Content-Length", text), NULL, 10) > 0);
    assert_int_equal(raw_ask(fd, "OPTIONS /api/v1/orders HTTP/1.1\r\nHost: x\r\n\r\n", &a), 200);
    assert_true(raw_say(fd, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    assert_int_equal(raw_read(fd, &a, true), 100);
    assert_int_equal(raw_ask(fd, "{}", &a), 400);
    assert_int_equal(
        raw_ask(fd,
                POST "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nT: x\r\n\r\n",
                &a),
        400);
    assert_int_equal(raw_code(&a), 10003); /* an empty order, read as such */
    assert_int_equal(raw_ask(fd, "GET /api/v1/time HTTP/1.0\r\n\r\n", &a), 200);
    assert_true(raw_ends(fd, 5000));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_refused_and_nothing_hidden_passes),
        cmocka_unit_test(overlong_is_refused),
        cmocka_unit_test(the_unusual_is_served),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
