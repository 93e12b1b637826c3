/* Loaded before libc: the wall clock of a program is CLOCK_AHEAD_S seconds ahead of the system's, or behind where it is
 * negative. A wait until a time of that clock ends when the system's clock gets there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

/* A time of the monotonic clock is smaller for decades after a boot: this tells the two apart where a wait does not. */
enum { WALL_S_MIN = 1000000000 };

static time_t ahead_s(void) {
    static time_t found;
    static int is_known;
    if (!is_known) {
        const char *text = getenv("CLOCK_AHEAD_S");
        found = text ? atol(text) : 0;
        is_known = 1;
    }
    return found;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = NEXT(clock_gettime)(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += ahead_s();
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    int result = NEXT(gettimeofday)(at, zone);
    if (result == 0) at->tv_sec += ahead_s();
    return result;
}

time_t time(time_t *at) {
    time_t now = NEXT(time)(NULL) + ahead_s();
    if (at) *at = now;
    return now;
}

int timespec_get(struct timespec *at, int base) {
    int result = NEXT(timespec_get)(at, base);
    if (result == TIME_UTC) at->tv_sec += ahead_s();
    return result;
}

static struct timespec of_system(const struct timespec *until) {
    struct timespec at = *until;
    if (at.tv_sec >= WALL_S_MIN) at.tv_sec -= ahead_s();
    return at;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    struct timespec at = of_system(until);
    return NEXT(pthread_cond_timedwait)(cond, mutex, &at);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec at = of_system(until);
    return NEXT(cnd_timedwait)(cond, mutex, &at);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec at = of_system(until);
    return NEXT(pthread_mutex_timedlock)(mutex, &at);
}
