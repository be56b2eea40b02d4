#define _GNU_SOURCE
#include "measure.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Below 32 one bucket each; from there on the top five bits after the first choose the bucket. */
void histogram_add(struct histogram *h, uint64_t delay_ns) {
    int shift = delay_ns < 32 ? 0 : 63 - __builtin_clzll(delay_ns) - 4;
    int index = shift == 0 ? (int)delay_ns : shift * 32 + (int)((delay_ns >> (shift - 1)) & 31);
    if (index >= HISTOGRAM_BUCKETS)
        index = HISTOGRAM_BUCKETS - 1;
    h->bucket[index]++;
    h->count++;
    if (delay_ns > h->longest)
        h->longest = delay_ns;
}

double histogram_quantile(const struct histogram *h, double q) {
    uint64_t wanted = (uint64_t)(q * (double)h->count), seen = 0;
    if (h->count == 0)
        return -1;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > wanted) {
            int shift = i / 32;
            return (shift == 0 ? (double)i : (double)((32ull + (uint64_t)(i & 31)) << (shift - 1))) / 1000;
        }
    }
    return (double)h->longest / 1000;
}

void histogram_print(const char *name, const struct histogram *h) {
    printf(", \"%s\": {\"count\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}",
           name, (unsigned long long)h->count, histogram_quantile(h, .5), histogram_quantile(h, .99),
           histogram_quantile(h, .999), (double)h->longest / 1000);
}

static void add_schedstat(const char *path, struct usage *sum) {
    unsigned long long ran, waited;
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fscanf(f, "%llu %llu", &ran, &waited) == 2) {
        sum->cpu += (double)ran / 1e9;
        sum->waited += (double)waited / 1e9;
    }
    fclose(f);
}

struct usage usage_of(const int *pids, int count) {
    struct usage sum = {0, 0};
    char path[300];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%d/task", pids[i]);
        DIR *tasks = opendir(path);
        if (!tasks)
            continue;
        struct dirent *entry;
        while ((entry = readdir(tasks))) {
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pids[i], entry->d_name);
            add_schedstat(path, &sum);
        }
        closedir(tasks);
    }
    return sum;
}

struct usage usage_of_self(void) {
    int self = (int)getpid();
    return usage_of(&self, 1);
}

long memory_of(const int *pids, int count) {
    long sum = 0, value;
    char path[64], line[256];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%d/status", pids[i]);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "RssAnon: %ld", &value) == 1)
                sum += value;
        fclose(f);
    }
    return sum;
}
