/* SHA-512, one message to a lane. */
#if defined(__x86_64__)
#include "target_ifma.h"

#include "sha512x8.h"

#include "sha512.h"
#include "transpose8.h"

#define CHOOSE 0xca   /* e ? f : g, as a table of three bits */
#define MAJORITY 0xe8 /* of a, b and c */
#define PARITY 0x96   /* a ^ b ^ c */

static inline __m512i parity(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, PARITY);
}

static inline __m512i add(__m512i a, __m512i b)
{
    return _mm512_add_epi64(a, b);
}

static inline __m512i swap_bytes(__m512i a)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607));
    return _mm512_shuffle_epi8(a, order);
}

/* The next word of the schedule, in the place of the one sixteen back. */
static inline __m512i next_word(__m512i w[16], int t)
{
    const __m512i w2 = w[(t - 2) & 15], w15 = w[(t - 15) & 15];
    const __m512i s1 = parity(_mm512_ror_epi64(w2, 19), _mm512_ror_epi64(w2, 61), _mm512_srli_epi64(w2, 6));
    const __m512i s0 = parity(_mm512_ror_epi64(w15, 1), _mm512_ror_epi64(w15, 8), _mm512_srli_epi64(w15, 7));
    return w[t & 15] = add(add(w[t & 15], s1), add(w[(t - 7) & 15], s0));
}

static void compress8(__m512i state[8], __m512i w[16])
{
    __m512i a = state[0], b = state[1], c = state[2], d = state[3];
    __m512i e = state[4], f = state[5], g = state[6], h = state[7];
    for (int block = 0; block < 80; block += 16) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            const __m512i word = block ? next_word(w, i) : w[i];
            const __m512i s1 = parity(_mm512_ror_epi64(e, 14), _mm512_ror_epi64(e, 18), _mm512_ror_epi64(e, 41));
            const __m512i s0 = parity(_mm512_ror_epi64(a, 28), _mm512_ror_epi64(a, 34), _mm512_ror_epi64(a, 39));
            const __m512i round = _mm512_set1_epi64((long long)SHA512_ROUND[block + i]);
            const __m512i t1 = add(add(h, s1), add(_mm512_ternarylogic_epi64(e, f, g, CHOOSE), add(word, round)));
            const __m512i t2 = add(s0, _mm512_ternarylogic_epi64(a, b, c, MAJORITY));
            h = g, g = f, f = e, e = add(d, t1), d = c, c = b, b = a, a = add(t1, t2);
        }
    }
    state[0] = add(state[0], a), state[1] = add(state[1], b), state[2] = add(state[2], c), state[3] = add(state[3], d);
    state[4] = add(state[4], e), state[5] = add(state[5], f), state[6] = add(state[6], g), state[7] = add(state[7], h);
}

void sha512x8_challenge(uint64_t wide[8][8], const uint8_t *const r[8], const uint8_t *const a[8],
                        const uint8_t *const message[8], const size_t message_bytes[8])
{
    __m512i state[8], before[8], w[16];
    uint8_t blocks[8][SHA512_BLOCK_BYTES];
    size_t blocks_max = 0;
    for (int lane = 0; lane < 8; lane++)
        blocks_max = sha512_blocks(message_bytes[lane]) > blocks_max ? sha512_blocks(message_bytes[lane]) : blocks_max;
    for (int i = 0; i < 8; i++)
        state[i] = _mm512_set1_epi64((long long)SHA512_START[i]);
    for (size_t number = 0; number < blocks_max; number++) {
        __mmask8 running = 0;
        for (int lane = 0; lane < 8; lane++) {
            if (number < sha512_blocks(message_bytes[lane])) {
                sha512_block(blocks[lane], number, r[lane], a[lane], message[lane], message_bytes[lane]);
                running |= (__mmask8)(1 << lane);
            }
        }
        for (int half = 0; half < 2; half++) {
            for (int lane = 0; lane < 8; lane++) /* a lane that has ended is computed too, and ignored below */
                w[8 * half + lane] = running >> lane & 1 ? _mm512_loadu_si512(blocks[lane] + 64 * half) : _mm512_setzero_si512();
            transpose8(w + 8 * half);
        }
        for (int i = 0; i < 16; i++)
            w[i] = swap_bytes(w[i]);
        for (int i = 0; i < 8; i++)
            before[i] = state[i];
        compress8(state, w);
        for (int i = 0; i < 8; i++)
            state[i] = _mm512_mask_mov_epi64(before[i], running, state[i]);
    }
    for (int i = 0; i < 8; i++)
        state[i] = swap_bytes(state[i]);
    transpose8(state);
    for (int lane = 0; lane < 8; lane++)
        _mm512_storeu_si512(wide[lane], state[lane]);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
