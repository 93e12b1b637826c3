/* The fuzzer's target: an input is a batch, and every item's answer must be libsodium's, in any company.
 *
 * An input is a header of 12 bytes, 32 bytes of a key where the header says so, and items of 12 bytes each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"
#include "onecode_kernel.h"

#define TILED_MAX 300
#define UNANSWERED 0x5a
/* 32 MiB in which five million items collide with each other once in a hundred times. */
#define SEEN_BITS (UINT64_C(1) << 28)

/* Shared with the process that reports, and in the order of COUNTERS in driver.py. */
typedef struct {
    uint64_t items, distinct, accepted, portable, ifma, batches, keys, disagreements;
} counters;

static counters *counted;
static house *home;
static uint64_t random_state;
static uint8_t seen[SEEN_BITS / 8];

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t size));
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

__attribute__((no_sanitize("coverage"))) static void print_hex(const char *name, const uint8_t *bytes, size_t count)
{
    fprintf(stderr, "  %s ", name);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%02x", bytes[i]);
    fprintf(stderr, "\n");
}

/* Tells of an item that was answered otherwise than by libsodium, and ends: libFuzzer saves the input. */
__attribute__((no_sanitize("coverage"), noreturn)) static void disagree(const made_item *it, const char *where,
                                                                        size_t place, size_t count, int implementation,
                                                                        int found)
{
    counted->disagreements++;
    fprintf(stderr, "disagreement: implementation %d says %d, libsodium %d, of item %zu of %zu, %s\n", implementation,
            found, it->expected, place, count, where);
    print_hex("key      ", it->public_key, 32);
    print_hex("signature", it->signature, 64);
    print_hex("message  ", it->message, it->message_bytes);
    abort();
}

/* Checks items[order[0]], items[order[1]], ... as one batch. Memory fits to the byte, and begins `shift` bytes off. */
static void compare(const made_item items[], const size_t order[], size_t count, int shift, int implementation,
                    const char *where)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += items[order[i]].message_bytes;
    uint8_t *signatures = malloc(64 * count + (size_t)shift), *messages = malloc(bytes + (size_t)shift);
    uint64_t *ends = malloc(count * sizeof *ends);
    const void **tables = malloc(count * sizeof *tables);
    uint8_t *answers = malloc(count), *at = messages + shift;
    for (size_t i = 0; i < count; i++) {
        const made_item *it = &items[order[i]];
        memcpy(signatures + shift + 64 * i, it->signature, 64);
        memcpy(at, it->message, it->message_bytes);
        at += it->message_bytes;
        ends[i] = (uint64_t)(at - messages - shift);
        tables[i] = it->table;
        answers[i] = UNANSWERED;
    }
    onecode_check(implementation, home->base_table, count, tables, signatures + shift, messages + shift, ends, answers);
    for (size_t i = 0; i < count; i++)
        if (answers[i] != items[order[i]].expected)
            disagree(&items[order[i]], where, i, count, implementation, answers[i]);
    *(implementation == ONECODE_IFMA ? &counted->ifma : &counted->portable) += count;
    free(signatures), free(messages), free(ends), free(tables), free(answers);
}

/* The same items in other company: alone, backwards, and over and over until they fill more than one inversion. */
static void recompose(const made_item items[], size_t count, const uint8_t header[HEADER_BYTES], int implementation)
{
    const size_t sizes[8] = {2, 8, 9, 63, 64, 65, 257, TILED_MAX};
    size_t order[TILED_MAX];
    if (header[COMPANY] & 1) {
        order[0] = header[PICKED] % count;
        compare(items, order, 1, header[COMPANY] >> 4 & 7, implementation, "alone");
    }
    if (header[COMPANY] & 2) {
        for (size_t i = 0; i < count; i++)
            order[i] = count - 1 - i;
        compare(items, order, count, header[PICKED] & 7, implementation, "backwards");
    }
    if ((header[COMPANY] & 12) == 12) { /* less often: it takes as long as all the rest */
        const size_t size = sizes[header[PICKED] >> 5], step = 1 + (header[PICKED] & 31) % count;
        for (size_t i = 0; i < size; i++)
            order[i] = (i * step + i / count) % count;
        compare(items, order, size, 0, implementation, "over and over");
    }
}

/* Tells whether an item is surely new, by its key, signature and first word: no more are counted than there were. */
static int is_new(const made_item *it)
{
    uint64_t mixed = it->message_bytes, word;
    for (int i = 0; i < (it->message_bytes < 8 ? 12 : 13); i++) {
        const uint8_t *from = i < 8 ? it->signature + 8 * i : i < 12 ? it->public_key + 8 * (i - 8) : it->message;
        memcpy(&word, from, 8);
        mixed = (mixed ^ word) * 0x9e3779b97f4a7c15;
        mixed ^= mixed >> 29;
    }
    uint8_t *byte = &seen[mixed % SEEN_BITS / 8];
    const uint8_t bit = (uint8_t)(1 << mixed % 8);
    const int was_there = *byte & bit;
    *byte |= bit;
    return !was_there;
}

static int run(const uint8_t *data, size_t size)
{
    static made_item items[ITEMS_MAX];
    size_t order[ITEMS_MAX];
    if (size < HEADER_BYTES)
        return 0;
    const uint8_t *header = data;
    const key_made *fresh = fresh_key(home, &data, &size);
    const size_t count = make_items(home, fresh, header + SALT, data, size, items);
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
        if (items[i].key->made != items[i].key->is_key) /* a table for what is no key, or none for a key */
            disagree(&items[i], "its key judged otherwise", i, count, ONECODE_PORTABLE, items[i].key->made);
        counted->items += (uint64_t)items[i].asked;
        counted->distinct += (uint64_t)(items[i].asked && is_new(&items[i]));
        counted->accepted += (uint64_t)items[i].expected;
    }
    for (int implementation = ONECODE_PORTABLE; implementation <= ONECODE_IFMA; implementation++) {
        if (!onecode_runs(implementation))
            continue;
        compare(items, order, count, header[COMPANY] >> 4 & 7, implementation, "as they came");
        recompose(items, count, header, implementation);
    }
    counted->keys = home->fresh_made;
    counted->batches++;
    return 0;
}

static uint64_t next_random(void)
{
    random_state += 0x9e3779b97f4a7c15;
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill_random(uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)next_random();
}

/* Knows where items begin: most inputs are other items, or more, fewer, or the same elsewhere, and not other bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
    random_state = seed;
    if (size < HEADER_BYTES + ITEM_BYTES || size_max < HEADER_BYTES + ITEM_BYTES) {
        fill_random(data, size_max < 200 ? size_max : 200);
        return size_max < 200 ? size_max : 200;
    }
    for (uint64_t left = 1 + next_random() % 6; left > 0; left--) {
        const size_t count = (size - HEADER_BYTES) / ITEM_BYTES;
        uint8_t *there = data + HEADER_BYTES + ITEM_BYTES * (count ? next_random() % count : 0);
        const size_t behind = (size_t)(data + size - there);
        const uint64_t what = next_random() % 8;
        if (what == 0) {
            size = LLVMFuzzerMutate(data, size, size_max);
        } else if (what == 1) {
            fill_random(data, HEADER_BYTES);
        } else if (what <= 4 && size + ITEM_BYTES <= size_max) { /* another in front of this one, or this one twice */
            memmove(there + ITEM_BYTES, there, behind);
            size += ITEM_BYTES;
            if (what < 4)
                fill_random(there, ITEM_BYTES);
        } else if (what == 5 && count > 1) {
            memmove(there, there + ITEM_BYTES, behind - ITEM_BYTES);
            size -= ITEM_BYTES;
        } else if (count > 0) {
            fill_random(what == 6 ? there : there + next_random() % ITEM_BYTES, what == 6 ? ITEM_BYTES : 1);
        }
        if (size < HEADER_BYTES + ITEM_BYTES)
            break;
    }
    if (size >= HEADER_BYTES) /* else most of a batch would be what was compared before */
        fill_random(data + SALT, 4);
    return size;
}

/* Runs libFuzzer, which ends the process itself. */
int fuzz(const sodium *functions, counters *shared, int argc, char **argv)
{
    counted = shared;
    home = make_house(functions);
    return home ? LLVMFuzzerRunDriver(&argc, &argv, run) : 2;
}
