/* withdraw_read.h: a withdrawal, from body and header to the messages that verify proves. */
#ifndef EIDOS_API_WITHDRAW_READ_H
#define EIDOS_API_WITHDRAW_READ_H

#include "procs/api/request.h"
#include "shm/rules.h"

/* {wallet, token, amount, to_address, nonce, signature}: a signed Withdraw. 0, or -1 with the
 * problem. `header`: is there an Authorization header? It takes no signature's place. */
int withdraw_read(json_t *body, const struct rules *r, bool header, struct msg_withdraw *m,
                  struct problem *p);

/* Taking one back: its id and the header, a Request over DELETE and the path. */
int withdraw_read_cancel(struct span id, const char *header, struct msg_withdraw_cancel *m,
                         struct problem *p);

#endif
