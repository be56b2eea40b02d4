/* Clock, histogram of delays, and what other processes use (Linux). */
#ifndef MEASURE_H
#define MEASURE_H
#include <stdint.h>

#define MAX_PIDS 8

/* Nanoseconds of the monotonic clock. */
uint64_t now_ns(void);

/* Delays in nanoseconds; 32 buckets to each power of two, so within 3 %. */
#define HISTOGRAM_BUCKETS (64 * 32)
struct histogram {
    uint64_t bucket[HISTOGRAM_BUCKETS], count, longest;
};
void histogram_add(struct histogram *h, uint64_t delay_ns);
/* The delay (microseconds) that the share q of all stays below; -1 if there are none. */
double histogram_quantile(const struct histogram *h, double q);
/* Prints `, "name": {"count": ..., "p50_us": ...}`. */
void histogram_print(const char *name, const struct histogram *h);

/* CPU time and time spent ready to run without a core (other load), seconds, of all threads. */
struct usage {
    double cpu, waited;
};
struct usage usage_of(const int *pids, int count);
struct usage usage_of_self(void);
/* Anonymous resident memory, KiB. */
long memory_of(const int *pids, int count);
#endif
