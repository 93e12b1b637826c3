#include "items.h"

#include <stdlib.h>
#include <string.h>

#include "onecode_kernel.h"

/* What is done to an item's signature. Those below PLAIN leave it as it is: most neighbours should be good. */
enum {
    PLAIN = 12,
    FLIP_R = PLAIN,
    FLIP_R_FIRST,
    FLIP_S,
    FLIP_MESSAGE,
    CHANGE_LENGTH,
    ADD_ORDER,
    ADD_ORDER_TO_SMALL,
    NEAR_ORDER,
    HIGH_S,
    ODD_R,
    RAW,
    OTHER_KEY,
    NO_TABLE,
    TWISTS,
};

/* Where message seeds are tried until the torsion of A and R cancels: one in eight does. */
#define TRIES_MAX 48

static void judge(house *h, key_made *key)
{
    key->is_key = is_key(&h->signer, key->key.encoded);
    key->made = onecode_make_key_table(key->table, key->key.encoded);
}

static void fill_message(made_item *it, size_t bytes, uint64_t seed)
{
    it->message_bytes = bytes;
    for (size_t i = 0; i < bytes; i += 8) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        const uint64_t word = seed ^ seed >> 29;
        memcpy(it->message + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

/* Signs: with torsion, messages are tried until the equation holds, but for one seed in four. */
static void sign(const house *h, made_item *it, const uint8_t r[32], const uint8_t nonce_scalar[32], int nonce_torsion,
                 size_t bytes, uint64_t seed)
{
    const signing_key *key = &it->key->key;
    uint8_t k[32];
    memcpy(it->public_key, key->encoded, 32);
    memcpy(it->signature, r, 32);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        fill_message(it, bytes, seed + (uint64_t)tries * 0x9e3779b97f4a7c15);
        challenge(&h->signer, k, r, it->public_key, it->message, bytes);
        if ((seed & 3) == 0 || bytes == 0 || (k[0] * key->torsion + nonce_torsion) % 8 == 0)
            break;
    }
    answer(&h->signer, it->signature + 32, nonce_scalar, k, key->a);
}

/* One S in 4,096 is below 2^240. Without its check S < L the kernel would take S + L for these, but for no larger S. */
static void sign_small(const house *h, made_item *it, int honest, uint64_t seed)
{
    it->key = &h->keys[honest];
    sign(h, it, h->signer.nonces[1].encoded[0], h->signer.nonces[1].r, 0, 8, seed);
}

static void find_small(house *h)
{
    static made_item it;
    for (int i = 0; i < HONEST; i++) {
        do
            sign_small(h, &it, i, ++h->small_s[i]);
        while (it.signature[63] || it.signature[62]);
    }
}

house *make_house(const sodium *functions)
{
    house *h = calloc(1, sizeof *h);
    uint8_t *tables = aligned_alloc(ONECODE_TABLE_ALIGNMENT, (size_t)(KEYS + FRESH) * ONECODE_KEY_TABLE_BYTES);
    if (!h || !tables || !(h->base_table = aligned_alloc(ONECODE_TABLE_ALIGNMENT, ONECODE_BASE_TABLE_BYTES)))
        return NULL;
    onecode_make_base_table(h->base_table);
    signer_begin(&h->signer, functions);
    for (int i = 0; i < FRESH; i++, tables += ONECODE_KEY_TABLE_BYTES)
        h->fresh[i].table = tables;
    for (int i = 0; i < KEYS; i++, tables += ONECODE_KEY_TABLE_BYTES) {
        key_made *key = &h->keys[i];
        const uint8_t seed[2] = {'a', (uint8_t)i};
        const int small = i - HONEST - MIXED, odd = small - SMALL;
        const int torsion = i < HONEST ? 0 : small < 0 ? i - HONEST + 1 : small;
        make_key(&h->signer, &key->key, seed, small < 0 ? sizeof seed : 0, odd < 0 ? torsion : odd % 8);
        if (odd >= 0)
            memcpy(key->key.encoded, h->signer.odd[odd], 32);
        key->table = tables;
        judge(h, key);
    }
    find_small(h);
    return h;
}

const key_made *fresh_key(house *h, const uint8_t **data, size_t *size)
{
    const uint8_t *header = *data;
    const int kind = header[FRESH_KIND] & 15; /* 0: a key whose scalar is known. 1: any 32 bytes. Else none */
    key_made *kept = &h->fresh[header[FRESH_PLACE] % FRESH];
    signing_key key;
    *data += HEADER_BYTES, *size -= HEADER_BYTES;
    if (kind == 0) {
        make_key(&h->signer, &key, header + FRESH_SEED, 3, header[FRESH_SEED + 3] & 7);
    } else if (kind == 1 && *size >= 32) {
        make_key(&h->signer, &key, NULL, 0, 0);
        memcpy(key.encoded, *data, 32);
        *data += 32, *size -= 32;
    } else {
        return NULL;
    }
    if (!kept->is_made_for || memcmp(&kept->key, &key, sizeof key) != 0) {
        kept->key = key;
        kept->is_made_for = 1;
        judge(h, kept);
        h->fresh_made++;
    }
    return kept;
}

static void flip(uint8_t *bytes, size_t count, unsigned bit)
{
    if (count)
        bytes[bit / 8 % count] ^= (uint8_t)(1 << bit % 8);
}

/* Changes what sign() has made. `rest` is the input behind the item; returns how much of it was read. */
static size_t twist(const house *h, made_item *it, int how, unsigned parameter, const uint8_t *rest, size_t rest_bytes)
{
    uint8_t *s = it->signature + 32;
    if (how == FLIP_R)
        flip(it->signature, 32, parameter);
    if (how == FLIP_S)
        flip(s, 32, parameter);
    if (how == FLIP_MESSAGE)
        flip(it->message, it->message_bytes, parameter);
    if (how == CHANGE_LENGTH)
        it->message_bytes = it->message_bytes && parameter & 1 ? it->message_bytes - 1 : it->message_bytes;
    if (how == CHANGE_LENGTH && !(parameter & 1) && it->message_bytes < MESSAGE_BYTES_MAX)
        it->message[it->message_bytes++] = (uint8_t)(parameter >> 8);
    if (how == ADD_ORDER_TO_SMALL)
        add_order(s, 1);
    if (how == ADD_ORDER)
        add_order(s, 1 + parameter % 15);
    if (how == NEAR_ORDER) { /* from L - 128 up to L + 127 */
        memset(s, 0, 32);
        add_order(s, 1);
        const int low = s[0] + (int8_t)parameter;
        s[0] = (uint8_t)low;
        for (int i = 1, carry = low >> 8; i < 32 && carry; i++) {
            const int byte = s[i] + carry;
            s[i] = (uint8_t)byte;
            carry = byte >> 8;
        }
    }
    if (how == HIGH_S)
        s[31] |= (uint8_t)(0xf0 & parameter);
    if (how == OTHER_KEY)
        it->key = &h->keys[parameter % (HONEST + MIXED)];
    if (how == RAW && rest_bytes >= 64) {
        memcpy(it->signature, rest, 64);
        return 64;
    }
    return 0;
}

/* Signs an item as its bytes say; returns how it is to be twisted. */
static int begin_item(const house *h, const key_made *fresh, const uint8_t salt[4], const uint8_t d[ITEM_BYTES],
                      made_item *it)
{
    const int how = d[2] % TWISTS, torsion = d[3] & 8 ? d[3] & 7 : 0;
    const unsigned length = d[4] | (unsigned)d[5] << 8, parameter = d[6] | (unsigned)d[7] << 8;
    const size_t bytes = length >> 12 ? length % 300 : length * (MESSAGE_BYTES_MAX + 1) >> 12; /* most are short */
    uint8_t seed_bytes[8];
    uint64_t seed;
    memcpy(seed_bytes, d + 8, 4), memcpy(seed_bytes + 4, salt, 4);
    memcpy(&seed, seed_bytes, 8);
    const nonce *from = &h->signer.nonces[how == ODD_R ? 0 : d[1] % NONCES];
    uint8_t r[32];
    memcpy(r, how == ODD_R ? h->signer.odd[parameter % ODD_ENCODINGS] : from->encoded[torsion], 32);
    if (how == FLIP_R_FIRST) /* hashed as it is: s*B - k*A is what R was, and differs from it in this bit alone */
        flip(r, 32, parameter & 0x8000 ? 255 : parameter);
    it->key = d[0] >= 208 && fresh ? fresh : d[0] >= 160 ? &h->keys[d[0] % KEYS] : &h->keys[d[0] % (HONEST + MIXED)];
    if (how == ADD_ORDER_TO_SMALL)
        sign_small(h, it, parameter % HONEST, h->small_s[parameter % HONEST]);
    else
        sign(h, it, r, from->r, torsion, bytes, seed);
    return how;
}

size_t make_items(const house *h, const key_made *fresh, const uint8_t salt[4], const uint8_t *data, size_t size,
                  made_item items[ITEMS_MAX])
{
    size_t count = 0;
    for (; size >= ITEM_BYTES && count < ITEMS_MAX; count++) {
        made_item *it = &items[count];
        const int how = begin_item(h, fresh, salt, data, it);
        const unsigned parameter = data[6] | (unsigned)data[7] << 8;
        data += ITEM_BYTES, size -= ITEM_BYTES;
        const size_t read = twist(h, it, how, parameter, data, size);
        data += read, size -= read;
        memcpy(it->public_key, it->key->key.encoded, 32);
        it->table = it->key->made && how != NO_TABLE ? it->key->table : NULL;
        it->asked = how != NO_TABLE;
        it->expected =
            it->asked && h->signer.sodium.verify(it->signature, it->message, it->message_bytes, it->public_key) == 0;
    }
    return count;
}
