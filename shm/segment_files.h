/* segment_files.h: directories, lock and boot record of a segment (internal to shm/segment*.c). */
#ifndef EIDOS_SHM_SEGMENT_FILES_H
#define EIDOS_SHM_SEGMENT_FILES_H

#include "shm/segment.h"

/* `path` = dir/name. CHECKs that it fits: segment_dirs saw to it. */
void segment_path(char path[static REGION_PATH_BYTES], const char *dir, const char *name);

/* Make <dir>/run, take its lock for the life of this process, and write the absolute path. */
int segment_lock(const char *dir, char *absolute, size_t size);

/* Make the instance's directories on tmpfs and hugetlbfs and note them in the boot record; why
 * there are no hugepages goes to `warning`. */
int segment_dirs(const struct segment_place *place, struct boot *boot, char *warning,
                 size_t warning_size);

int segment_write_boot(const struct boot *boot);

/* Remove both directories with everything in them, and the boot record. */
void segment_remove_files(const struct boot *boot);

/* Hugepages of 2 MiB the host has now, in use or not. */
u64 segment_hugepages_now(void);

#endif
