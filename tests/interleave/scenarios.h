/* scenarios.h: what is explored, as data. */
#ifndef EIDOS_TESTS_INTERLEAVE_SCENARIOS_H
#define EIDOS_TESTS_INTERLEAVE_SCENARIOS_H

#include "tests/interleave/explore.h"

/* Plans end with one whose name is NULL. A plan with a bug must fail, any other must not. */
extern const struct explore_plan ring_plans[], sleep_plans[], log_plans[], takeover_plans[];

#endif
