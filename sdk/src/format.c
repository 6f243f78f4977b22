/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "format.h"

#include <stdint.h>

/* Digits of the longest number, octal is not known. */
#define MOST_DIGITS 20

struct output {
	char *to;
	size_t size;
	size_t used;
};

struct conversion {
	int is_left;
	char fill;
	unsigned width;
	/* Beyond any text when there is none. */
	unsigned precision;
	/* Bytes of an integer. */
	size_t size;
};

static void emit(struct output *output, char character, size_t count)
{
	while (count > 0 && output->used < output->size) {
		output->to[output->used++] = character;
		count--;
	}
}

static void emit_field(struct output *output, const struct conversion *conversion, const char *sign,
		       const char *text, size_t length)
{
	size_t width = length + (*sign != '\0' ? 1u : 0u);
	size_t padding = conversion->width > width ? conversion->width - width : 0;

	/* Zeros stand behind the sign, blanks before it. */
	if (!conversion->is_left && conversion->fill == ' ') {
		emit(output, ' ', padding);
	}
	if (*sign != '\0') {
		emit(output, *sign, 1);
	}
	if (!conversion->is_left && conversion->fill == '0') {
		emit(output, '0', padding);
	}
	for (size_t i = 0; i < length; i++) {
		emit(output, text[i], 1);
	}
	if (conversion->is_left) {
		emit(output, ' ', padding);
	}
}

static void emit_number(struct output *output, const struct conversion *conversion, const char *sign,
			uint64_t value, unsigned base, const char *digits)
{
	char text[MOST_DIGITS];
	size_t at = sizeof(text);

	do {
		/* Division of 64 bits is slow on these cores, and rarely needed. */
		if (value > UINT32_MAX) {
			text[--at] = digits[value % base];
			value /= base;
		} else {
			uint32_t small = (uint32_t)value;

			text[--at] = digits[small % base];
			value = small / base;
		}
	} while (value != 0);
	emit_field(output, conversion, sign, &text[at], sizeof(text) - at);
}

size_t mflt_text_length(const char **text, size_t most)
{
	size_t length = 0;

	if (*text == NULL) {
		*text = "(null)";
	}
	while (length < most && (*text)[length] != '\0') {
		length++;
	}
	return length;
}

/* The digits at `*format`, or an argument for a star. A negative argument counts as none. */
static unsigned number(const char **format, int star)
{
	unsigned value = 0;

	if (**format == '*') {
		(*format)++;
		return star > 0 ? (unsigned)star : 0;
	}
	for (; **format >= '0' && **format <= '9'; (*format)++) {
		value = value < 1000 ? value * 10 + (unsigned)(**format - '0') : value;
	}
	return value;
}

size_t mflt_format(char *to, size_t size, const char *format, va_list arguments)
{
	struct output output = {to, size, 0};

	while (*format != '\0') {
		if (*format != '%') {
			emit(&output, *format++, 1);
			continue;
		}
		format++;
		struct conversion conversion = {0, ' ', 0, UINT32_MAX, sizeof(int)};

		for (; *format == '-' || *format == '0'; format++) {
			conversion.is_left |= *format == '-';
			conversion.fill = *format == '0' ? '0' : conversion.fill;
		}
		conversion.width = number(&format, *format == '*' ? va_arg(arguments, int) : 0);
		if (*format == '.') {
			format++;
			conversion.precision =
				number(&format, *format == '*' ? va_arg(arguments, int) : 0);
		}
		for (;; format++) {
			if (*format == 'l') {
				conversion.size = conversion.size == sizeof(int) && format[1] != 'l'
							  ? sizeof(long)
							  : sizeof(long long);
			} else if (*format == 'j') {
				conversion.size = sizeof(intmax_t);
			} else if (*format == 'z' || *format == 't') {
				conversion.size = sizeof(size_t);
			} else if (*format != 'h') {
				break;
			}
		}
		char kind = *format;

		if (kind == '\0') {
			break;
		}
		format++;
		if (kind == 'd' || kind == 'i') {
			int64_t value = conversion.size > sizeof(int) ? va_arg(arguments, int64_t)
								      : va_arg(arguments, int);
			uint64_t magnitude = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;

			emit_number(&output, &conversion, value < 0 ? "-" : "", magnitude, 10,
				    "0123456789");
		} else if (kind == 'u' || kind == 'x' || kind == 'X') {
			uint64_t value = conversion.size > sizeof(int)
						 ? va_arg(arguments, uint64_t)
						 : va_arg(arguments, unsigned);

			emit_number(&output, &conversion, "", value, kind == 'u' ? 10 : 16,
				    kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef");
		} else if (kind == 'p') {
			uintptr_t value = (uintptr_t)va_arg(arguments, void *);

			conversion.fill = '0';
			conversion.width = 8;
			emit(&output, '0', 1);
			emit(&output, 'x', 1);
			emit_number(&output, &conversion, "", value, 16, "0123456789abcdef");
		} else if (kind == 'c') {
			char character = (char)va_arg(arguments, int);

			emit_field(&output, &conversion, "", &character, 1);
		} else if (kind == 's') {
			const char *text = va_arg(arguments, const char *);
			size_t length = mflt_text_length(&text, conversion.precision);

			emit_field(&output, &conversion, "", text, length);
		} else if (kind == '%') {
			emit(&output, '%', 1);
		} else {
			/* What it would take is unknown: nothing behind it can be right. */
			emit(&output, '%', 1);
			emit(&output, kind, 1);
			break;
		}
	}
	return output.used;
}
