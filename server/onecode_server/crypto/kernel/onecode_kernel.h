/* The contract of the kernel: Ed25519 verification for few, known public keys, in batches.
 *
 * A signature R || S of a message M is accepted exactly if S < L, A and R are canonical encodings and not of small
 * order, and the encoding of S*B - k*A equals R's bytes, where k = SHA-512(R || A || M) mod L (RFC 8032, section 5.1.7,
 * cofactorless). Every item gets the answer that it would get alone.
 *
 * All inputs are public: keys, signatures, messages. Branches and memory accesses depend on them, so that a secret must
 * never be an input.
 *
 * No function allocates, keeps state or fails: all memory belongs to the caller, and concurrent calls may use the same
 * tables. They take less than 96 KiB of stack, compiled with -O3.
 */
#ifndef ONECODE_KERNEL_H
#define ONECODE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Tables begin at a multiple of this, so that an entry covers as few cache lines as possible. */
#define ONECODE_TABLE_ALIGNMENT 64
/* Multiples of one public key: 2,368 of 128 bytes each, the neutral element, and the key itself. */
#define ONECODE_KEY_TABLE_BYTES 303360
/* Multiples of the base point: one table serves all keys. */
#define ONECODE_BASE_TABLE_BYTES 5767424

enum onecode_implementation {
    ONECODE_PORTABLE = 0, /* any 64-bit processor */
    ONECODE_IFMA = 1,     /* x86-64 with AVX-512 F, DQ, BW, VL and IFMA: eight signatures at a time */
};

/* Tells whether this build and this processor have an implementation: 1 or 0. */
int onecode_runs(int implementation);

/* Fills ONECODE_BASE_TABLE_BYTES, which takes some tens of milliseconds. */
void onecode_make_base_table(void *base_table);

/* Fills ONECODE_KEY_TABLE_BYTES for a public key, which takes about a millisecond.
 *
 * Returns 0, and leaves the memory as it was, where the 32 bytes are no canonical encoding of a point, or the point is of
 * small order: such a key verifies no signature. Else returns 1. */
int onecode_make_key_table(void *key_table, const uint8_t public_key[32]);

/* Checks `count` signatures, any number of them; answers[i] becomes 1 where signature i is valid, else 0.
 *
 * implementation   one for which onecode_runs() returns 1
 * base_table       made by onecode_make_base_table()
 * key_tables[i]    made by onecode_make_key_table() for the key of item i, or NULL: then the answer is 0
 * signatures       count times 64 bytes
 * messages         the concatenated messages; not NULL, even where all are empty
 * ends[i]          the end of message i in `messages`, which is the beginning of the next one. Never falls: the caller
 *                  has checked that */
void onecode_check(int implementation, const void *base_table, size_t count, const void *const key_tables[],
                   const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[], uint8_t answers[]);

/* Checks one signature, as onecode_check() does: 1 or 0. */
int onecode_check_one(int implementation, const void *base_table, const void *key_table, const uint8_t signature[64],
                      const uint8_t *message, size_t message_bytes);

#endif
