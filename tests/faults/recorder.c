/* Loaded before libc (LD_PRELOAD): writes down, in their order, all calls with which a process
 * changes the files of one folder, and makes them. What a power cut would leave of them is worked
 * out afterwards, by tests/faults/disk.py, which also knows the format: see `emit`.
 *
 * EDGE_RECORD_FOLDER: the folder, absolute, without a slash at its end.
 * EDGE_RECORD_LOG: the file to write to; it lies outside of the folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_file = -1;
static unsigned char watched[MOST_FILES];

struct __attribute__((packed)) head {
    char call;
    int32_t file;
    int64_t number;
    uint32_t length;
};

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("EDGE_RECORD_LOG");
    folder = getenv("EDGE_RECORD_FOLDER");
    if (!folder || !log) return;
    folder_length = strlen(folder);
    log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0) abort();
}

static int ours(const char *path) {
    return log_file >= 0 && strncmp(path, folder, folder_length) == 0 &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}

static int seen(int file) {
    return log_file >= 0 && file >= 0 && file < MOST_FILES && watched[file];
}

static void emit(char call, int file, int64_t number, const void *data, size_t length) {
    struct head head = {call, file, number, (uint32_t)length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    int before = errno;
    if (syscall(SYS_writev, log_file, parts, 2) != (long)(sizeof head + length)) abort();
    errno = before;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    pthread_mutex_lock(&lock);
    int file = syscall(SYS_openat, at, path, flags, mode);
    if (file >= 0 && ours(path)) {
        if (file >= MOST_FILES) abort();
        watched[file] = 1;
        emit('o', file, flags, path, strlen(path));
    }
    pthread_mutex_unlock(&lock);
    return file;
}

static mode_t mode_in(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = mode_in(flags, rest);               \
        va_end(rest);                                     \
        return open_at(AT_FDCWD, path, flags, mode);      \
    }
#define OPENAT(name)                                      \
    int name(int at, const char *path, int flags, ...) {  \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = mode_in(flags, rest);               \
        va_end(rest);                                     \
        return open_at(at, path, flags, mode);            \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

static ssize_t write_at(int file, const void *data, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, file, data, length, offset);
    if (written > 0 && seen(file)) emit('w', file, offset, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return write_at(file, data, length, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    return write_at(file, data, length, offset);
}

ssize_t write(int file, const void *data, size_t length) {
    if (!seen(file)) return syscall(SYS_write, file, data, length);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_write, file, data, length);
    /* The position is behind what was written, also in a file that is appended to. */
    if (written > 0) emit('w', file, lseek(file, 0, SEEK_CUR) - written, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

static int truncate_to(int file, off_t length) {
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_ftruncate, file, length);
    if (result == 0 && seen(file)) emit('t', file, length, "", 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int file, off_t length) { return truncate_to(file, length); }
int ftruncate64(int file, off64_t length) { return truncate_to(file, length); }

static int sync_by(long number, int file) {
    pthread_mutex_lock(&lock);
    int result = syscall(number, file);
    if (result == 0 && seen(file)) emit('s', file, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

int close(int file) {
    pthread_mutex_lock(&lock);
    if (seen(file)) {
        emit('c', file, 0, "", 0);
        watched[file] = 0;
    }
    int result = syscall(SYS_close, file);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0 && ours(path)) emit('u', -1, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) {
    char both[8192];
    size_t first = strlen(from), second = strlen(to);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && (ours(from) || ours(to))) {
        if (first + second + 1 > sizeof both) abort();
        memcpy(both, from, first);
        both[first] = 0;
        memcpy(both + first + 1, to, second);
        emit('r', -1, 0, both, first + second + 1);
    }
    pthread_mutex_unlock(&lock);
    return result;
}
