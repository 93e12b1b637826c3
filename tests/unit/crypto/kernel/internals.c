/* Opens what the kernel keeps inline or static to the tests, with pointers in the place of values. */
#define _GNU_SOURCE /* pthread_attr_setstack */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check_portable.c"

void open_fe_add(fe *out, const fe *a, const fe *b)
{
    *out = fe_add(a, b);
}

void open_fe_sub(fe *out, const fe *a, const fe *b)
{
    *out = fe_sub(a, b);
}

void open_fe_mul(fe *out, const fe *a, const fe *b)
{
    *out = fe_mul(a, b);
}

void open_fe_square(fe *out, const fe *a)
{
    *out = fe_square(a);
}

void open_point_add_multiple(point *out, const point *p, const multiple *m, int negative)
{
    *out = point_add_multiple(p, m, negative);
}

size_t open_sha512_blocks(size_t message_bytes)
{
    return sha512_blocks(message_bytes);
}

/* The plan of both scalars: how far behind its table's neutral element each step's multiple lies, and its sign. */
int open_plan(int64_t entry[], uint8_t negative[], const base_table *base, const key_table *key, const scalar *s,
              const scalar *k)
{
    plan p;
    const scalar base_digits = scalar_add(s, &BASE_BIAS), key_digits = scalar_add(k, &KEY_BIAS);
    const int next = plan_steps(&p, 0, &base->neutral, &base_digits, BASE_BITS, BASE_WINDOWS);
    const int steps = plan_steps(&p, next, &key->neutral, &key_digits, KEY_BITS, KEY_WINDOWS);
    for (int i = 0; i < steps; i++) {
        entry[i] = p.multiple[i] - (i < next ? &base->neutral : &key->neutral);
        negative[i] = p.negative[i];
    }
    return steps;
}

typedef struct {
    int implementation;
    batch given;
    size_t count;
    uint8_t *answers;
} call;

static void *check_it(void *given)
{
    const call *c = given;
    onecode_check(c->implementation, c->given.base, c->count, c->given.key_tables, c->given.signatures,
                  c->given.messages, c->given.ends, c->answers);
    return NULL;
}

/* Runs onecode_check() on a stack of its own and returns how many bytes of it were written, or 0 where no thread could
 * be had. Some of them are the thread's own. */
size_t open_stack_used(int implementation, const void *base, size_t count, const void *const key_tables[],
                       const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[], uint8_t answers[])
{
    enum { BYTES = 1 << 20, UNTOUCHED = 0xa5 };
    call c = {implementation, {base, key_tables, signatures, messages, ends}, count, answers};
    pthread_attr_t attributes;
    pthread_t thread;
    size_t left = 0;
    uint8_t *stack = aligned_alloc(4096, BYTES);
    if (!stack || pthread_attr_init(&attributes))
        return 0;
    memset(stack, UNTOUCHED, BYTES);
    const int runs = !pthread_attr_setstack(&attributes, stack, BYTES) &&
                     !pthread_create(&thread, &attributes, check_it, &c) && !pthread_join(thread, NULL);
    while (left < BYTES && stack[left] == UNTOUCHED)
        left++;
    pthread_attr_destroy(&attributes);
    free(stack);
    return runs ? BYTES - left : 0;
}
