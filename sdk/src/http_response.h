/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A response of HTTP/1.1 (RFC 9112), byte by byte. */
#ifndef MFLT_HTTP_RESPONSE_H
#define MFLT_HTTP_RESPONSE_H

#include <stdint.h>

/* What is kept of a line of the header: names and values that matter are shorter. */
#define MFLT_HTTP_LINE 48u

struct mflt_http_response {
	uint8_t state;
	uint8_t is_chunked;
	uint8_t has_length;
	uint8_t is_closing;
	uint16_t status;
	/* Bytes of the header so far. */
	uint16_t header_size;
	/* Of the body, or of a chunk of it. */
	uint32_t left;
	/* Bytes of the line, as far as they are kept; whether there were more; whether it ends in CR. */
	uint8_t used;
	uint8_t is_cut;
	uint8_t has_return;
	char line[MFLT_HTTP_LINE];
};

enum {
	MFLT_HTTP_MORE = 0,
	/* The byte is one of the body. */
	MFLT_HTTP_BODY = 1,
};

/* `response` is zeros first. Gives one of the above, or MFLT_EPROTOCOL. */
int mflt_http_response_byte(struct mflt_http_response *response, uint8_t byte);

/* Whether the response is whole; `is_closed` tells that nothing follows. */
int mflt_http_response_is_whole(const struct mflt_http_response *response, int is_closed);

#endif
