/* welcome.h: what a developer gets from `eidosctl up --dev`: addresses, a funded wallet, and what
 * to try next. */
#ifndef EIDOS_CLI_WELCOME_H
#define EIDOS_CLI_WELCOME_H

#include "cli/cli.h"

/* The development wallet's key is Keccak-256 of this text: known to everybody, worth nothing. */
#define WELCOME_SEED "eidos development wallet"

/* Credit the development wallet where it has nothing yet, and print all of it. `own` is attached as
 * ROLE_OPS. What can not be done is said; nothing fails. */
void welcome(const struct segment *own, const struct config *config);

#endif
