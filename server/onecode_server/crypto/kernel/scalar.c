/* Barrett's reduction: the quotient by L is estimated from the top words, and at most two too low. */
#include "scalar.h"

#include "bytes.h"

__extension__ typedef unsigned __int128 u128;

static const uint64_t L[5] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000, 0};
/* 2^512 / L, rounded down: 260 bits. */
static const uint64_t MU[5] = {0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb, 0xffffffffffffffff, 0xf};

scalar scalar_load(const uint8_t in[32])
{
    return (scalar){{load_le(in), load_le(in + 8), load_le(in + 16), load_le(in + 24)}};
}

scalar scalar_add(const scalar *a, const scalar *b)
{
    scalar sum;
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a->word[i] + b->word[i];
        sum.word[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return sum;
}

/* a - L into out, five words; returns 1 where that is below 0. */
static uint64_t subtract_l(uint64_t out[5], const uint64_t a[5])
{
    uint64_t borrow = 0;
    for (int i = 0; i < 5; i++) {
        const u128 difference = (u128)a[i] - L[i] - borrow;
        out[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

int scalar_is_reduced(const scalar *a)
{
    const uint64_t wide[5] = {a->word[0], a->word[1], a->word[2], a->word[3], 0};
    uint64_t unused[5];
    return (int)subtract_l(unused, wide);
}

/* With x < 2^512 and b = 2^64: q = ((x / b^3) * MU) / b^5, each division rounded down, is the quotient of x by L or up
 * to two less (Handbook of Applied Cryptography, 14.42: k = 4 words, and L > b^3). So x - q L < 3 L < 2^254, and it is
 * enough to compute its lowest five words. */
scalar scalar_reduce(const uint64_t wide[8])
{
    uint64_t product[10] = {0};
    for (int i = 0; i < 5; i++) {
        u128 carry = 0; /* (b-1)^2 + 2 (b-1) < b^2: a word, a product and a carry fit */
        for (int j = 0; j < 5; j++) {
            carry += (u128)wide[3 + i] * MU[j] + product[i + j];
            product[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        product[i + 5] = (uint64_t)carry;
    }
    const uint64_t *q = product + 5;
    uint64_t multiple[5] = {0}, rest[5], less[5];
    for (int i = 0; i < 5; i++) {
        u128 carry = 0;
        for (int j = 0; i + j < 5; j++) {
            carry += (u128)q[i] * L[j] + multiple[i + j];
            multiple[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    uint64_t borrow = 0;
    for (int i = 0; i < 5; i++) {
        const u128 difference = (u128)wide[i] - multiple[i] - borrow;
        rest[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    for (int times = 0; times < 2; times++)
        if (!subtract_l(less, rest))
            for (int i = 0; i < 5; i++)
                rest[i] = less[i];
    return (scalar){{rest[0], rest[1], rest[2], rest[3]}};
}
