/* push_mine.h: the account log to the wallets' own channels, no record before it is durable. */
#ifndef EIDOS_API_PUSH_MINE_H
#define EIDOS_API_PUSH_MINE_H

#include "procs/api/hub.h"

u32 push_mine_turn(struct api *a);

#endif
