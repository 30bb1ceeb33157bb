/* raw.h: a TCP connection of a client that may be broken on purpose: exact bytes out, an HTTP
 * answer in. Waits are bounded; nothing here retries.
 */
#ifndef EIDOS_TESTS_LIB_RAW_H
#define EIDOS_TESTS_LIB_RAW_H

#include "shm/base.h"

#define RAW_ANSWER_MAX 16384U
#define RAW_WAIT_MS    10000

struct raw_answer {
    int status; /* of HTTP; 0 = the connection ended, or nothing came in RAW_WAIT_MS */
    u32 head_len, len;
    char text[RAW_ANSWER_MAX + 1]; /* head and body */
};

/* Connect to 127.0.0.1:port from address 127.0.0.`from`. -1 when refused. */
int raw_connect_from(u32 from, u32 port);
int raw_connect(u32 port);

/* Send all of it; false when the other side is gone. */
bool raw_send(int fd, const void *bytes, size_t len);
bool raw_say(int fd, const char *text);

/* One whole answer with its body by Content-Length (`head_only`: none follows); its status. */
int raw_read(int fd, struct raw_answer *a, bool head_only);

/* Send a request and read its answer. */
int raw_ask(int fd, const char *request, struct raw_answer *a);

/* A header's value copied to `value`, case of the name ignored; NULL when it is not there. */
const char *raw_header(const struct raw_answer *a, const char *name, char value[static 256]);

/* The code of the envelope, or -1. */
int raw_code(const struct raw_answer *a);

/* Does the other side end the connection within `ms`? What it still says is dropped. */
bool raw_ends(int fd, int ms);

#endif
