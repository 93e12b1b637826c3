/* The common part of the implementations of a check: a batch as given, and the values of an item before any point. */
#ifndef ONECODE_CHECK_H
#define ONECODE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "table.h"

/* The arguments of onecode_check(). */
typedef struct {
    const base_table *base;
    const void *const *key_tables;
    const uint8_t *signatures;
    const uint8_t *messages;
    const uint64_t *ends;
} batch;

/* One item of a batch. `key` is NULL where the answer is 0 already: the key has no table, or S is L or more. */
typedef struct {
    const key_table *key;
    const uint8_t *signature;
    const uint8_t *message;
    size_t message_bytes;
    scalar s;
} item;

static inline item item_of(const batch *b, size_t i)
{
    const uint64_t begin = i ? b->ends[i - 1] : 0;
    item out = {b->key_tables[i], b->signatures + 64 * i, b->messages + begin, (size_t)(b->ends[i] - begin), {{0}}};
    out.s = scalar_load(out.signature + 32);
    if (out.key && !scalar_is_reduced(&out.s))
        out.key = NULL;
    return out;
}

/* Check the first `count` items of a batch. */
void check_portable(const batch *b, size_t count, uint8_t answers[]);
void check_ifma(const batch *b, size_t count, uint8_t answers[]);

/* Check one item: 1 or 0. */
int check_one_ifma(const base_table *base, const item *it);

#endif
