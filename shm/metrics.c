#include "shm/metrics.h"

#define METRIC_ROW(id, owner, type, name, help) \
    [METRIC_##id] = {name, help, ROLE_##owner, METRIC_##type},
const struct metric_row metric_table[METRIC_COUNT] = {METRICS(METRIC_ROW)};
