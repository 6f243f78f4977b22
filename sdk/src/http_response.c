/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "http_response.h"
#include "mflt/error.h"

/* Longest header, with those of responses that only say that another follows, and with trailers. */
#define MOST_HEADER 8192u

enum { STATUS_LINE, HEADER, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, WHOLE };

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* The value of the line if it is a header of this name, in lower case; else NULL. */
static const char *value_of(const struct mflt_http_response *response, const char *name)
{
	const char *at = response->line;

	while (*name != '\0') {
		if (*at++ != *name++) {
			return 0;
		}
	}
	while (*at == ' ' || *at == '\t') {
		at++;
	}
	return at;
}

static int is_text(const char *value, const char *text)
{
	while (*text != '\0' && *value == *text) {
		value++;
		text++;
	}
	return *value == *text;
}

static uint32_t digit_of(char character)
{
	if (character >= '0' && character <= '9') {
		return (uint32_t)(character - '0');
	}
	return character >= 'a' && character <= 'f' ? (uint32_t)(character - 'a') + 10u : 16u;
}

/* A number up to the end of the text or `end`; 0 when there is none, or one beyond 32 bits. */
static int take_number(const char *text, uint32_t base, char end, uint32_t *number)
{
	uint32_t value = 0;

	if (digit_of(*text) >= base) {
		return 0;
	}
	for (; digit_of(*text) < base; text++) {
		if (value > (0xffffffffu - digit_of(*text)) / base) {
			return 0;
		}
		value = value * base + digit_of(*text);
	}
	*number = value;
	return *text == '\0' || *text == end;
}

static int status_line(struct mflt_http_response *response)
{
	const char *at = value_of(response, "http/1.");
	uint32_t status = 0;

	if (at == 0 || (at[0] != '0' && at[0] != '1') || at[1] != ' ' ||
	    !take_number(at + 2, 10, ' ', &status) || status < 100 || status > 999) {
		return MFLT_EPROTOCOL;
	}
	response->is_closing = at[0] == '0';
	response->status = (uint16_t)status;
	response->state = HEADER;
	return MFLT_HTTP_MORE;
}

/* What follows the header: RFC 9112, 6.3. */
static int end_of_header(struct mflt_http_response *response)
{
	if (response->status < 200) {
		/* Another response follows; nobody has asked to switch protocols. */
		if (response->status == 101 || response->has_length || response->is_chunked) {
			return MFLT_EPROTOCOL;
		}
		response->state = STATUS_LINE;
	} else if (response->is_chunked) {
		/* With a length too, it is another's request or response. */
		if (response->has_length) {
			return MFLT_EPROTOCOL;
		}
		response->state = CHUNK_SIZE;
	} else if (response->status == 204 || response->status == 304 ||
		   (response->has_length && response->left == 0)) {
		response->state = WHOLE;
	} else {
		/* Without a length the body goes up to the end of the connection. */
		response->is_closing |= !response->has_length;
		response->state = BODY;
	}
	return MFLT_HTTP_MORE;
}

static int header_line(struct mflt_http_response *response)
{
	const char *value;
	uint32_t length;

	if (response->used == 0) {
		return end_of_header(response);
	}
	/* A line that goes on the one before is of another time. */
	if (response->line[0] == ' ' || response->line[0] == '\t') {
		return MFLT_EPROTOCOL;
	}
	if ((value = value_of(response, "content-length:")) != 0) {
		if (response->is_cut || !take_number(value, 10, '\0', &length) ||
		    (response->has_length && length != response->left)) {
			return MFLT_EPROTOCOL;
		}
		response->has_length = 1;
		response->left = length;
	} else if ((value = value_of(response, "transfer-encoding:")) != 0) {
		if (response->is_cut || !is_text(value, "chunked")) {
			return MFLT_EPROTOCOL;
		}
		response->is_chunked = 1;
	} else if ((value = value_of(response, "connection:")) != 0) {
		if (is_text(value, "close")) {
			response->is_closing = 1;
		}
	}
	return MFLT_HTTP_MORE;
}

static int end_of_line(struct mflt_http_response *response)
{
	/* Spaces at the end mean nothing, but a line of spaces is not empty. */
	while (response->used > 1 && response->line[response->used - 1u] == ' ') {
		response->used--;
	}
	response->line[response->used] = '\0';
	switch (response->state) {
	case STATUS_LINE:
		return status_line(response);
	case HEADER:
		return header_line(response);
	case CHUNK_SIZE:
		if (!take_number(response->line, 16, ';', &response->left)) {
			return MFLT_EPROTOCOL;
		}
		response->state = response->left == 0 ? TRAILER : CHUNK;
		return MFLT_HTTP_MORE;
	case CHUNK_END:
		response->state = CHUNK_SIZE;
		return response->used == 0 ? MFLT_HTTP_MORE : MFLT_EPROTOCOL;
	default:
		response->state = response->used == 0 ? WHOLE : TRAILER;
		return MFLT_HTTP_MORE;
	}
}

int mflt_http_response_byte(struct mflt_http_response *response, uint8_t byte)
{
	if (response->state == BODY || response->state == CHUNK) {
		if (response->state == CHUNK || response->has_length) {
			response->left--;
			if (response->left == 0) {
				response->state = response->state == CHUNK ? CHUNK_END : WHOLE;
			}
		}
		return MFLT_HTTP_BODY;
	}
	/* The sizes of chunks are no header, and there may be any number of them. */
	if (response->state != CHUNK_SIZE && response->state != CHUNK_END) {
		response->header_size++;
	}
	if (response->state == WHOLE || response->header_size > MOST_HEADER) {
		return MFLT_EPROTOCOL;
	}
	if (byte == '\n') {
		int result = end_of_line(response);

		response->used = 0;
		response->is_cut = 0;
		response->has_return = 0;
		return result;
	}
	if (byte == '\0' || response->has_return) {
		return MFLT_EPROTOCOL;
	}
	if (byte == '\r') {
		response->has_return = 1;
	} else if (response->used + 1u < MFLT_HTTP_LINE) {
		response->line[response->used++] = (char)lower(byte);
	} else {
		response->is_cut = 1;
		return response->state == CHUNK_SIZE ? MFLT_EPROTOCOL : MFLT_HTTP_MORE;
	}
	return MFLT_HTTP_MORE;
}

int mflt_http_response_is_whole(const struct mflt_http_response *response, int is_closed)
{
	return response->state == WHOLE ||
	       (is_closed && response->state == BODY && !response->has_length);
}
