#include "procs/lib/client/ws.h"

#include <string.h>

size_t client_ws_upgrade(const char *host, char *to, size_t room)
{
    int n = snprintf(to, room,
                     "GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: ZWlkb3MgZGVtbyBjbGllbg==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     host);
    CHECK(n > 0 && (size_t)n < room);
    return (size_t)n;
}

int client_ws_upgraded(const char *bytes, size_t len)
{
    static const char SWITCHING[] = "HTTP/1.1 101 ";
    size_t told = min_u64(len, sizeof SWITCHING - 1);
    if (memcmp(bytes, SWITCHING, told) != 0) return -1;
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    return end ? (int)(end + 4 - bytes) : 0;
}

/* xorshift32; Marsaglia, "Xorshift RNGs" */
static u32 next_mask(u32 *state)
{
    u32 x = *state ? *state : 0x9e3779b9U;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

size_t client_ws_frame(u8 opcode, const char *payload, size_t len, u32 *mask, char *to)
{
    u32 key = next_mask(mask);
    u8 *out = (u8 *)to;
    size_t n = 2;
    CHECK(len < 65536);
    out[0] = (u8)(0x80 | opcode);
    out[1] = (u8)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        out[2] = (u8)(len >> 8), out[3] = (u8)len;
        n = 4;
    }
    for (u32 i = 0; i < 4; i++) out[n + i] = (u8)(key >> (24 - 8 * i));
    for (size_t i = 0; i < len; i++) out[n + 4 + i] = (u8)((u8)payload[i] ^ out[n + i % 4]);
    return n + 4 + len;
}

void client_ws_reason(const struct client_frame *f, char reason[static CLIENT_WS_CLOSE_MAX + 6])
{
    const u8 *b = (const u8 *)f->text;
    u32 code = f->len >= 2 ? (u32)b[0] << 8 | b[1] : 1005; /* 1005: none was given */
    int words = f->len > 2 ? (int)min_u64(f->len - 2, CLIENT_WS_CLOSE_MAX - 1) : 0;
    snprintf(reason, CLIENT_WS_CLOSE_MAX + 6, "%u%s%.*s", code, words ? " " : "", words,
             f->text + 2);
}
