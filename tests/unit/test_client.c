/* The client's side of HTTP and WebSocket, cut at every byte, and the pump over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "procs/lib/client/http.h"
#include "procs/lib/client/pump.h"
#include "procs/lib/client/ws.h"
#include "shm/err.h"

#define PEERS 20U
#define PART  5U /* bytes that the server sends at a time */

/* --- HTTP --------------------------------------------------------------------------------------*/

static void an_answer_is_whole_when_its_last_byte_came(void **state)
{
    (void)state;
    static const char text[] =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\n"
        "content-length: 15\r\nConnection: close\r\n\r\n{\"code\":20001,}HTTP";
    struct client_answer a;
    size_t whole = sizeof text - 1 - 4;
    for (size_t len = 0; len < whole; len++) assert_int_equal(client_http_read(text, len, &a), 0);
    assert_int_equal(client_http_read(text, sizeof text - 1, &a), 1);
    assert_int_equal(a.size, whole);
    assert_int_equal(a.status, 429);
    assert_int_equal(client_http_code(&a), 20001);
    assert_int_equal(client_http_number(&a, "Retry-After:", 0), 7);
    assert_int_equal(client_http_number(&a, "X-RateLimit-Limit:", 99), 99);
    assert_true(a.closes);
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                                      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "X"};
    struct client_answer a;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(client_http_read(bad[i], strlen(bad[i]), &a), -1);
}

static void a_request_carries_its_body(void **state)
{
    (void)state;
    char text[300];
    size_t n = client_http_request("POST", "/x", "h:1", "A: b", "{}", 2, text, sizeof text);
    text[n] = '\0';
    assert_string_equal(text, "POST /x HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Type: "
                              "application/json\r\nContent-Length: 2\r\n\r\n{}");
}

/* --- WebSocket ---------------------------------------------------------------------------------*/

/* A server's frame of `len` bytes 'x'; returns its size. */
static size_t frame_of(size_t len, char *to)
{
    u8 *out = (u8 *)to;
    size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
    out[0] = 0x81;
    out[1] = (u8)(head == 2 ? len : head == 4 ? 126 : 127);
    for (size_t i = 2; i < head; i++) out[i] = (u8)(len >> 8 * (head - 1 - i));
    memset(to + head, 'x', len);
    return head + len;
}

static void frames_of_all_sizes_are_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static char text[70016];
    struct client_frame f;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t n = frame_of(sizes[i], text);
        for (size_t len = 0; len < n; len += len < 16 ? 1 : 997)
            assert_int_equal(client_ws_read(text, len, &f), 0);
        assert_int_equal(client_ws_read(text, n, &f), n);
        assert_int_equal(f.opcode, CLIENT_WS_TEXT);
        assert_int_equal(f.len, sizes[i]);
        assert_ptr_equal(f.text, text + n - sizes[i]);
    }
}

static void frames_no_server_may_send_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x01\x01x", "\x81\x81mmmmx", "\xc1\x01x",
                                      "\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00"};
    static const size_t sizes[] = {3, 7, 3, 10};
    struct client_frame f;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(client_ws_read(bad[i], sizes[i], &f), -1);
}

static void frames_sent_are_masked_and_can_be_unmasked(void **state)
{
    (void)state;
    char payload[300], frame[300 + CLIENT_WS_HEAD], other[300 + CLIENT_WS_HEAD];
    u32 mask = 7;
    for (u32 i = 0; i < sizeof payload; i++) payload[i] = (char)i;
    size_t n = client_ws_frame(CLIENT_WS_TEXT, payload, sizeof payload, &mask, frame);
    assert_int_equal(n, sizeof payload + 8);
    assert_int_equal((u8)frame[1], 0x80 | 126);
    for (u32 i = 0; i < sizeof payload; i++)
        assert_int_equal((char)(frame[8 + i] ^ frame[4 + i % 4]), payload[i]);
    client_ws_frame(CLIENT_WS_TEXT, payload, sizeof payload, &mask, other);
    assert_memory_not_equal(frame + 4, other + 4, 4);
}

static void an_upgrade_is_told_from_a_refusal(void **state)
{
    (void)state;
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\nmore";
    static const char no[] = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    for (size_t len = 0; len < sizeof yes - 5; len++)
        assert_int_equal(client_ws_upgraded(yes, len), 0);
    assert_int_equal(client_ws_upgraded(yes, sizeof yes - 1), sizeof yes - 5);
    assert_int_equal(client_ws_upgraded(no, sizeof no - 1), -1);
    struct client_frame f = {.opcode = CLIENT_WS_CLOSE, .len = 6, .text = "\x03\xf0slow"};
    char reason[CLIENT_WS_CLOSE_MAX + 6];
    client_ws_reason(&f, reason);
    assert_string_equal(reason, "1008 slow");
}

/* --- The pump ----------------------------------------------------------------------------------*/

static struct pump pump;
static u32 opened, closed, messages;

static void on_open(void *context, u32 peer)
{
    (void)context;
    char word[8];
    opened++;
    int n = snprintf(word, sizeof word, "%06u\n", peer);
    pump_send(&pump, peer, word, (size_t)n);
}

/* A message is 7 bytes: the number of the connection. */
static size_t on_bytes(void *context, u32 peer, const char *bytes, size_t len, u64 now_ns)
{
    (void)context;
    size_t used = 0;
    assert_int_equal(bytes[len], 0);
    assert_true(now_ns > 0);
    for (; len - used >= 7; used += 7, messages++)
        assert_int_equal(strtoul(bytes + used, NULL, 10), peer);
    return used;
}

static void on_close(void *context, u32 peer, const char *why)
{
    (void)context;
    (void)peer;
    assert_non_null(why);
    closed++;
}

static const struct pump_calls CALLS = {on_open, on_bytes, on_close};

static int listen_somewhere(char where[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, PEERS), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(where, 32, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static void turn_until(const u32 *count, u32 wanted)
{
    for (u32 i = 0; *count < wanted && i < 10000; i++) pump_turn(&pump, 1000000);
    assert_int_equal(*count, wanted);
}

static void each_connection_gets_its_own_bytes_whole(void **state)
{
    (void)state;
    char where[32], word[8];
    int server[PEERS], fd = listen_somewhere(where);
    assert_int_equal(pump_open(&pump, PEERS, where, &CALLS, NULL), 0);
    for (u32 i = 0; i < PEERS; i++) assert_int_equal(pump_connect(&pump, i), 0);
    for (u32 i = 0; i < PEERS; i++) assert_true((server[i] = accept(fd, NULL, NULL)) >= 0);
    turn_until(&opened, PEERS);
    for (u32 i = 0; i < PEERS; i++) {
        assert_int_equal(recv(server[i], word, 7, MSG_WAITALL), 7);
        for (u32 at = 0; at < 21; at += PART) {
            for (u32 b = at; b < at + PART && b < 21; b++)
                assert_int_equal(send(server[i], word + b % 7, 1, 0), 1);
            pump_turn(&pump, 1000000);
        }
    }
    turn_until(&messages, 3 * PEERS);
    for (u32 i = 0; i < PEERS; i++) close(server[i]);
    turn_until(&closed, PEERS);
    assert_int_equal(pump.connected, 0);
    close(fd);
    pump_close_all(&pump);
}

static void what_a_socket_does_not_take_follows_later(void **state)
{
    (void)state;
    static char bytes[8 << 20];
    char where[32], got[65536];
    int fd = listen_somewhere(where);
    opened = 0;
    assert_int_equal(pump_open(&pump, 1, where, &CALLS, NULL), 0);
    assert_int_equal(pump_connect(&pump, 0), 0);
    turn_until(&opened, 1);
    int server = accept(fd, NULL, NULL);
    memset(bytes, 'y', sizeof bytes);
    pump_send(&pump, 0, bytes, sizeof bytes);
    size_t n = 0;
    while (n < sizeof bytes + 7) {
        ssize_t more = recv(server, got, sizeof got, MSG_DONTWAIT);
        if (more > 0) n += (size_t)more;
        pump_turn(&pump, 0);
    }
    assert_int_equal(n, sizeof bytes + 7);
    close(server);
    close(fd);
    pump_close_all(&pump);
}

static void an_address_must_be_one(void **state)
{
    (void)state;
    struct sockaddr_storage to;
    socklen_t len;
    assert_int_equal(pump_resolve("127.0.0.1:80", &to, &len), 0);
    assert_int_equal(pump_resolve("[::1]:80", &to, &len), 0);
    assert_int_equal(to.ss_family, AF_INET6);
    assert_int_equal(pump_resolve("127.0.0.1", &to, &len), -1);
    assert_int_equal(pump_resolve(":80", &to, &len), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_whole_when_its_last_byte_came),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(a_request_carries_its_body),
        cmocka_unit_test(frames_of_all_sizes_are_read),
        cmocka_unit_test(frames_no_server_may_send_are_refused),
        cmocka_unit_test(frames_sent_are_masked_and_can_be_unmasked),
        cmocka_unit_test(an_upgrade_is_told_from_a_refusal),
        cmocka_unit_test(each_connection_gets_its_own_bytes_whole),
        cmocka_unit_test(what_a_socket_does_not_take_follows_later),
        cmocka_unit_test(an_address_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
