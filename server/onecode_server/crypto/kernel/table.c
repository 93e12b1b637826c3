/* Builds the table of a key, once: window by window, each multiple from the one before by an addition. */
#include "table.h"

#include <string.h>

const scalar KEY_BIAS = {{0x4081020408102040, 0x2040810204081020, 0x1020408102040810, 0x0010204081020408}};
const scalar BASE_BIAS = {{0x0800800800800800, 0x0080080080080080, 0x8008008008008008, 0x0000800800800800}};

_Static_assert(sizeof(multiple) == 128, "an entry is two cache lines");
_Static_assert(sizeof(key_table) == ONECODE_KEY_TABLE_BYTES, "the header says what a key's table takes");
_Static_assert(sizeof(base_table) == ONECODE_BASE_TABLE_BYTES, "the header says what the base table takes");

/* Writes 1, 2, ... `count` times *first, and returns the last. They are made affine 64 at a time. */
static point write_multiples(multiple out[], int count, const point *first)
{
    point points[POINT_INVERTED_MAX], sum = *first;
    fe inverses[POINT_INVERTED_MAX];
    for (int written = 0; written < count;) {
        const int chunk = count - written < POINT_INVERTED_MAX ? count - written : POINT_INVERTED_MAX;
        for (int i = 0; i < chunk; i++) {
            if (written + i > 0)
                sum = point_add(&sum, first);
            points[i] = sum;
        }
        point_invert_z(inverses, points, chunk);
        for (int i = 0; i < chunk; i++)
            out[written + i] = point_to_multiple(&points[i], &inverses[i]);
        written += chunk;
    }
    return sum;
}

static void write_table(multiple out[], const point *p, int bits, int windows)
{
    const int half = 1 << (bits - 1);
    point first = *p;
    for (int i = 0; i < windows; i++) {
        const point last = write_multiples(out + i * half, half, &first);
        first = point_add(&last, &last); /* the next window counts in steps of 2^bits, twice the half */
    }
    write_multiples(out + windows * half, 1 << (252 - TOP_BIT(bits, windows)), &first);
}

void onecode_make_base_table(void *out)
{
    base_table *table = out;
    memset(table->unused, 0, sizeof table->unused);
    table->neutral = MULTIPLE_NEUTRAL;
    write_table(table->multiples, &POINT_BASE, BASE_BITS, BASE_WINDOWS);
}

int onecode_make_key_table(void *out, const uint8_t public_key[32])
{
    key_table *table = out;
    point a;
    if (!point_decode(&a, public_key) || point_is_small(&a))
        return 0;
    memcpy(table->public_key, public_key, 32);
    memset(table->unused, 0, sizeof table->unused);
    table->neutral = MULTIPLE_NEUTRAL;
    const point minus = point_negate(&a); /* the check adds up s*B - k*A */
    write_table(table->multiples, &minus, KEY_BITS, KEY_WINDOWS);
    return 1;
}
