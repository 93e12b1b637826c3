/* From an input's bytes to a batch: keys, and signatures that are good, or wrong in one way each. */
#ifndef FUZZ_ITEMS_H
#define FUZZ_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "signer.h"

#define HEADER_BYTES 12
#define ITEM_BYTES 12
#define ITEMS_MAX 48
/* Honest keys, keys with each torsion, the eight points of small order, and what is not canonical. */
#define HONEST 4
#define MIXED 7
#define SMALL 8
#define KEYS (HONEST + MIXED + SMALL + ODD_ENCODINGS)
/* Keys that inputs have brought and that are kept, since a table takes a millisecond and inputs are much alike. */
#define FRESH 64

/* An input's header: which company its items are compared in, the key that it brings and what that is made of, and four
 * bytes that go into every message: who changes these has the same batch again, with all signatures new. */
enum { COMPANY, FRESH_KIND, FRESH_PLACE, PICKED, FRESH_SEED, SALT = FRESH_SEED + 4 };

typedef struct {
    signing_key key;
    int is_key, made; /* libsodium's judgement, and whether the kernel has made a table */
    int is_made_for;  /* whether this place has a key yet */
    void *table;
} key_made;

typedef struct {
    signer signer;
    key_made keys[KEYS];
    key_made fresh[FRESH];
    uint64_t fresh_made;
    uint64_t small_s[HONEST]; /* seeds of messages whose S is below 2^240: then S + L has no digit that tables lack */
    void *base_table;
} house;

typedef struct {
    const key_made *key;
    const void *table; /* what the batch is given: NULL where the key has none, or none is given on purpose */
    uint8_t public_key[32];
    uint8_t signature[64];
    uint8_t message[MESSAGE_BYTES_MAX];
    size_t message_bytes;
    int expected, asked; /* libsodium's answer, if it was asked: 0 where no table is given on purpose */
} made_item;

/* Everything that is made once, or NULL where there is no memory. */
house *make_house(const sodium *functions);

/* The key that an input brings, or NULL. Moves behind what it has read, the header too. */
const key_made *fresh_key(house *h, const uint8_t **data, size_t *size);

/* Makes the items of an input and asks libsodium about each; returns how many. */
size_t make_items(const house *h, const key_made *fresh, const uint8_t salt[4], const uint8_t *data, size_t size,
                  made_item items[ITEMS_MAX]);

#endif
