/* fuzz_api_ws.c: a WebSocket connection. First byte even: the rest is the bytes of the wire. Odd:
 * the rest is lines, each sent as one masked text frame, so that the fuzzer need not learn framing
 * before it reaches the messages. Whatever comes, the connection answers in whole frames of valid
 * JSON, or says goodbye with a code and a reason; nothing leaks and no request is lost.
 */
#include <string.h>

#include "tests/lib/gateway_fixture.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static char inbox[4UL << 20];

static void check_text(const char *text, size_t len)
{
    json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(message && json_is_string(json_object_get(message, "type")));
    json_decref(message);
}

/* Everything the connection said, frame by frame. */
static void check_answers(size_t len)
{
    const u8 *f = (const u8 *)inbox, *end = f + len;
    while (f < end) {
        size_t n = f[1], head = 2;
        if (n == 126) n = (size_t)f[2] << 8 | f[3], head = 4;
        CHECK(n < 65536 && f + head + n <= end);
        u8 opcode = f[0] & 15;
        if (opcode == 1) check_text((const char *)f + head, n);
        else if (opcode == 8) CHECK(n > 2 && f[head] >= 3);
        else CHECK(opcode == 9 || opcode == 10);
        f += head + n;
    }
}

static void put(struct gateway *g, const u8 *data, size_t size)
{
    while (size) {
        ssize_t n = write(g->peer, data, min_u64(size, 4096));
        if (n <= 0) break; /* it hung up */
        data += n;
        size -= (size_t)n;
        gateway_turn(g, NS_PER_MS);
    }
}

static void put_line(struct gateway *g, const u8 *text, size_t len)
{
    u8 frame[8 + WS_MESSAGE_MAX] = {0x81, 0x80 | 126, (u8)(len >> 8), (u8)len};
    if (len < 126) frame[1] = (u8)(0x80 | len);
    size_t head = len < 126 ? 6 : 8; /* the mask is zero */
    memset(frame + head - 4, 0, 4);
    memcpy(frame + head, text, len);
    put(g, frame, head + len);
}

static void put_lines(struct gateway *g, const u8 *data, size_t size)
{
    while (size) {
        const u8 *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size, step = end ? n + 1 : n;
        put_line(g, data, min_u64(n, WS_MESSAGE_MAX));
        data += step;
        size -= step;
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    const struct msg *m;
    if (!size) return 0;
    static struct gateway *g;
    if (g) gateway_connect(g);
    else g = gateway_new();
    if (data[0] & 1) put_lines(g, data + 1, size - 1);
    else put(g, data + 1, size - 1);
    gateway_turn(g, 6 * NS_PER_S); /* requests nobody answers time out */
    gateway_turn(g, 0);
    ssize_t n = read(g->peer, inbox, sizeof inbox);
    if (n > 0) check_answers((size_t)n);
    gateway_hang_up(g);
    u32 requests = 0;
    for (struct link *l = g->api.free.next; l != &g->api.free; l = l->next) requests++;
    CHECK(requests == GATEWAY_REQUESTS);
    while ((m = ring_peek(&g->asked))) ring_pop(&g->asked, m->length);
    ring_release(&g->asked);
    return 0;
}
