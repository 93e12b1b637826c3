/* Included first by every file that uses AVX-512: those files alone are compiled for it, so that the rest runs on any
 * processor, and the choice is made at run time. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma")
#endif
