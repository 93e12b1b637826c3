/* The functions of the contract, which select the implementation. */
#include "check.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HAS_IFMA 1
#else
#define HAS_IFMA 0
#endif

/* A vector takes as long with one lane as with eight. Fewer items than this are checked one after the other. */
#define IFMA_TOGETHER_MIN 3

int onecode_runs(int implementation)
{
#if HAS_IFMA
    if (implementation == ONECODE_IFMA)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512ifma");
#endif
    return implementation == ONECODE_PORTABLE;
}

void onecode_check(int implementation, const void *base_table, size_t count, const void *const key_tables[],
                   const uint8_t *signatures, const uint8_t *messages, const uint64_t ends[], uint8_t answers[])
{
    const batch b = {base_table, key_tables, signatures, messages, ends};
#if HAS_IFMA
    if (implementation == ONECODE_IFMA && count >= IFMA_TOGETHER_MIN) {
        check_ifma(&b, count, answers);
        return;
    }
    if (implementation == ONECODE_IFMA) {
        for (size_t i = 0; i < count; i++) {
            const item it = item_of(&b, i);
            answers[i] = (uint8_t)check_one_ifma(base_table, &it);
        }
        return;
    }
#endif
    (void)implementation;
    check_portable(&b, count, answers);
}

int onecode_check_one(int implementation, const void *base_table, const void *key_table, const uint8_t signature[64],
                      const uint8_t *message, size_t message_bytes)
{
    const uint64_t end = message_bytes;
    uint8_t answer;
    onecode_check(implementation, base_table, 1, &key_table, signature, message, &end, &answer);
    return answer;
}
