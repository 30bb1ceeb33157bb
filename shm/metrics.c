#include "shm/metrics.h"

const struct metric_row metric_table[METRIC_ROWS] = {
#define METRIC(id, owner, type, name, help) {name, help, ROLE_##owner, METRIC_##type, METRIC_##id},
#include "shm/metrics.def"
};

const struct common_row common_table[COMMON_ROWS] = {
#define COMMON(id, label, type, name, help) {name, help, #label, METRIC_##type},
#include "shm/metrics.def"
};
