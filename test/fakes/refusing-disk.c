// A disk that refuses every write below a folder for as long as a file says so: preloaded into the programs under test, because
// no kernel lets a mount with open files be made read-only and writable again. REFUSE_BELOW names the folder,
// REFUSE_WHEN the file, whose content is the errno as a number. What only reads goes on. Built by refusing-disk.ts.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_below(const char *path) {
  const char *below = getenv("REFUSE_BELOW");
  if (below == NULL || path == NULL) return 0;
  const size_t length = strlen(below);
  return strncmp(path, below, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The errno to refuse with; 0 while writes are taken. */
static int refusal(void) {
  static int (*real_open)(const char *, int, ...);
  if (real_open == NULL) real_open = dlsym(RTLD_NEXT, "open");
  const char *when = getenv("REFUSE_WHEN");
  if (when == NULL) return 0;
  const int descriptor = real_open(when, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  char text[16] = {0};
  const ssize_t bytes = read(descriptor, text, sizeof text - 1);
  close(descriptor);
  return bytes > 0 ? atoi(text) : 0;
}

static int refuses(const char *path) {
  if (!is_below(path)) return 0;
  const int saved = errno;
  const int error = refusal();
  errno = error != 0 ? error : saved;
  return error != 0;
}

static int refuses_fd(int descriptor) {
  char link[64], path[PATH_MAX];
  const int saved = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t bytes = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (bytes < 0) return 0;
  path[bytes] = '\0';
  return refuses(path);
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define BY_PATH(type, name, parameters, path, arguments) \
  type name parameters { return refuses(path) ? -1 : REAL(name) arguments; }
#define BY_FD(type, name, parameters, arguments) \
  type name parameters { return refuses_fd(fd) ? -1 : REAL(name) arguments; }

#define OPENING(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 && refuses(path)) return -1; \
    return REAL(name)(path, flags, mode); \
  }
OPENING(open)
OPENING(open64)

BY_FD(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
BY_FD(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
BY_FD(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
BY_FD(ssize_t, writev, (int fd, const struct iovec *views, int count), (fd, views, count))
BY_FD(ssize_t, pwritev, (int fd, const struct iovec *views, int count, off_t at), (fd, views, count, at))
BY_FD(ssize_t, pwritev64, (int fd, const struct iovec *views, int count, off64_t at), (fd, views, count, at))
BY_FD(int, fsync, (int fd), (fd))
BY_FD(int, fdatasync, (int fd), (fd))
BY_FD(int, ftruncate, (int fd, off_t size), (fd, size))
BY_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))
BY_FD(int, fchmod, (int fd, mode_t mode), (fd, mode))
BY_PATH(int, mkdir, (const char *path, mode_t mode), path, (path, mode))
BY_PATH(int, rmdir, (const char *path), path, (path))
BY_PATH(int, unlink, (const char *path), path, (path))
BY_PATH(int, remove, (const char *path), path, (path))
BY_PATH(int, chmod, (const char *path, mode_t mode), path, (path, mode))
BY_PATH(int, rename, (const char *from, const char *to), to, (from, to))
BY_PATH(int, link, (const char *from, const char *to), to, (from, to))

int access(const char *path, int mode) {
  return (mode & W_OK) != 0 && refuses(path) ? -1 : REAL(access)(path, mode);
}
