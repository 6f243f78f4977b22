/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Log lines whose text is made on the host (MFLT_LOG_COMPACT): the format stays in the ELF's
 * section `log_fmt`, of which the device only knows the address. Without a word about it in the
 * linker script the section is part of the flash; to leave it out, add
 *
 *	log_fmt 0xf0000000 (INFO) : { KEEP(*(log_fmt)) }
 */
#ifndef MFLT_LOG_COMPACT_H
#define MFLT_LOG_COMPACT_H

/* What an argument is: 0 a word, 1 a double word, 2 a double, 3 a text. */
#ifdef __cplusplus
template <typename T> constexpr uint32_t mflt_log_class_(T)
{
	return sizeof(T) == 8 ? 1u : 0u;
}
constexpr uint32_t mflt_log_class_(float)
{
	return 2u;
}
constexpr uint32_t mflt_log_class_(double)
{
	return 2u;
}
constexpr uint32_t mflt_log_class_(const char *)
{
	return 3u;
}
constexpr uint32_t mflt_log_class_(char *)
{
	return 3u;
}
#define MFLT_CLASS_(x) mflt_log_class_(x)
#else
#define MFLT_CLASS_(x)                                                                           \
	__extension__ _Generic((x),                                                              \
		char *: 3u,                                                                      \
		const char *: 3u,                                                                \
		float: 2u,                                                                       \
		double: 2u,                                                                      \
		default: (sizeof(x) == 8 ? 1u : 0u))
#endif

/* The classes of all arguments, first one highest, behind a leading 1; then the arguments. */
#define MFLT_K1_(a) ((1u << 2) | MFLT_CLASS_(a))
#define MFLT_K2_(a, b) ((MFLT_K1_(a) << 2) | MFLT_CLASS_(b))
#define MFLT_K3_(a, b, c) ((MFLT_K2_(a, b) << 2) | MFLT_CLASS_(c))
#define MFLT_K4_(a, b, c, d) ((MFLT_K3_(a, b, c) << 2) | MFLT_CLASS_(d))
#define MFLT_K5_(a, b, c, d, e) ((MFLT_K4_(a, b, c, d) << 2) | MFLT_CLASS_(e))
#define MFLT_K6_(a, b, c, d, e, f) ((MFLT_K5_(a, b, c, d, e) << 2) | MFLT_CLASS_(f))
#define MFLT_K7_(a, b, c, d, e, f, g) ((MFLT_K6_(a, b, c, d, e, f) << 2) | MFLT_CLASS_(g))
#define MFLT_K8_(a, b, c, d, e, f, g, h) ((MFLT_K7_(a, b, c, d, e, f, g) << 2) | MFLT_CLASS_(h))
#define MFLT_PACK_0_(t) 1u
#define MFLT_PACK_1_(t, ...) MFLT_K1_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_2_(t, ...) MFLT_K2_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_3_(t, ...) MFLT_K3_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_4_(t, ...) MFLT_K4_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_5_(t, ...) MFLT_K5_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_6_(t, ...) MFLT_K6_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_7_(t, ...) MFLT_K7_(__VA_ARGS__), __VA_ARGS__
#define MFLT_PACK_8_(t, ...) MFLT_K8_(__VA_ARGS__), __VA_ARGS__

#define MFLT_FIRST_(first, ...) first
#define MFLT_TENTH_(a, b, c, d, e, f, g, h, i, j, ...) j
#define MFLT_COUNT_(...) MFLT_TENTH_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
#define MFLT_JOIN_(a, b, c) a##b##c
#define MFLT_PACK_(count, ...) MFLT_JOIN_(MFLT_PACK_, count, _)(__VA_ARGS__)
#define MFLT_TEXT_(x) #x
#define MFLT_TEXT_OF_(x) MFLT_TEXT_(x)

/* The call that never runs lets the compiler compare format and arguments. */
#define MFLT_LOG_LINE_(level, ...)                                                               \
	do {                                                                                     \
		static const char mflt_format_[]                                                 \
			__attribute__((section("log_fmt"), used)) =                              \
				MFLT_TEXT_OF_(MFLT_COUNT_(__VA_ARGS__)) ";" __FILE__             \
				";" MFLT_TEXT_OF_(__LINE__) ";" MFLT_FIRST_(__VA_ARGS__, "");    \
		if (0) {                                                                         \
			(void)mflt_log_printf(level, __VA_ARGS__);                               \
		}                                                                                \
		(void)mflt_log_compact(level, mflt_format_,                                      \
				       MFLT_PACK_(MFLT_COUNT_(__VA_ARGS__), __VA_ARGS__));       \
	} while (0)

#endif
