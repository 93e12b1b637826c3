/* Loaded before libc: while the file that FAIL_IF names is there, LMDB's write of a meta page (some hundred bytes, where
 * all else is written in pages) fails with EIO, as on a disk that has gone bad. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { META_BYTES_MIN = 60, META_BYTES_MAX = 200 };

typedef ssize_t pwrite_function(int, const void *, size_t, off_t);

static ssize_t write_or_fail(const char *name, int fd, const void *data, size_t length, off_t at) {
    const char *file = getenv("FAIL_IF");
    if (length > META_BYTES_MIN && length < META_BYTES_MAX && file && access(file, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return ((pwrite_function *)dlsym(RTLD_NEXT, name))(fd, data, length, at);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return write_or_fail("pwrite", fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
    return write_or_fail("pwrite64", fd, data, length, at);
}
