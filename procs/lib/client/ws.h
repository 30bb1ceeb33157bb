/* client/ws.h: a WebSocket as a client speaks it (RFC 6455): the upgrade, frames out, frames in.
 *
 *   client_ws_upgrade --> GET /ws ...        client_ws_frame  --> one masked frame
 *   client_ws_upgraded <-- 101 ...           client_ws_read   <-- one frame, in place
 *
 * Pure functions over bytes: whose socket it is, and how it waits, is the caller's. The exchange
 * sends every message in one frame, so a fragmented one is refused here.
 */
#ifndef EIDOS_PROCS_LIB_CLIENT_WS_H
#define EIDOS_PROCS_LIB_CLIENT_WS_H

#include "shm/base.h"

enum { CLIENT_WS_TEXT = 1, CLIENT_WS_CLOSE = 8, CLIENT_WS_PING = 9, CLIENT_WS_PONG = 10 };

#define CLIENT_WS_HEAD      14U        /* bytes of a frame beside its payload, at most */
#define CLIENT_WS_MAX       (4U << 20) /* bytes of a message that is taken */
#define CLIENT_WS_CLOSE_MAX 126U       /* bytes of client_ws_reason, with the NUL */

struct client_frame {
    u8 opcode;
    u32 len;
    const char *text;
};

/* The upgrade request to `host` ("name:port"); returns its length, below `room`. */
size_t client_ws_upgrade(const char *host, char *to, size_t room);

/* The length of the head that answered it; 0 = not whole yet, -1 = refused or not HTTP. */
int client_ws_upgraded(const char *bytes, size_t len);

/* Write a frame of `len` < 65536 bytes: `to` has room for len + CLIENT_WS_HEAD. Returns its size.
 * `mask` is the state of a generator that starts anywhere; masks come from it. */
size_t client_ws_frame(u8 opcode, const char *payload, size_t len, u32 *mask, char *to);

/* The frame at bytes[0..len): returns its size with head, and where its payload lies; 0 = it is not
 * whole yet; -1 = not a frame that a server may send, or over CLIENT_WS_MAX. */
static inline i64 client_ws_read(const char *bytes, size_t len, struct client_frame *f)
{
    const u8 *b = (const u8 *)bytes;
    if (len < 2) return 0;
    u64 head = 2, size = b[1];
    if ((b[0] & 0xf0) != 0x80 || size > 127) return -1; /* FIN, nothing reserved, not masked */
    if (size == 126) {
        if (len < 4) return 0;
        size = (u64)b[2] << 8 | b[3];
        head = 4;
    } else if (size == 127) {
        if (len < 10) return 0;
        size = 0;
        for (u32 i = 2; i < 10; i++) size = size << 8 | b[i];
        head = 10;
    }
    if (UNLIKELY(size > CLIENT_WS_MAX)) return -1;
    if (len < head + size) return 0;
    *f = (struct client_frame){b[0] & 15, (u32)size, bytes + head};
    return (i64)(head + size);
}

/* "1008 slow reader": what a close frame says. */
void client_ws_reason(const struct client_frame *f, char reason[static CLIENT_WS_CLOSE_MAX + 6]);

#endif
