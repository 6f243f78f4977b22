/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Chunks over HTTP/1.1, and the question for an update: requests are built and responses are read piece by
 * piece, over two functions of the device. How it gets a connection, and whether that is encrypted, is its
 * own affair. Redirects are not followed.
 *
 *	struct mflt_http http = {.send = tls_send, .receive = tls_receive, .host = "…", .project_key = "…"};
 *
 *	while (mflt_http_post(&http, buffer, sizeof(buffer)) > 0) {
 *	}
 *
 * A request takes about 400 bytes of stack. After MFLT_OK and above the connection serves the next request
 * unless `is_closing`; after an error it is to be closed.
 */
#ifndef MFLT_HTTP_H
#define MFLT_HTTP_H

#include "mflt/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mflt_http {
	/* Send or receive at most `size` bytes: how many, 0 when the other side has closed the connection,
	 * negative when it failed. */
	int (*send)(void *context, const void *from, uint32_t size);
	int (*receive)(void *context, void *to, uint32_t size);
	void *context;
	/* Of the header Host. */
	const char *host;
	const char *project_key;
	/* Of the last response; 0 when there was none. */
	uint16_t status;
	/* The other side ends the connection. */
	uint8_t is_closing;
};

/* Sends the next message (mflt/chunk.h) in chunks of at most `size` bytes, one request each. It is
 * delivered when all of them were answered with a status from 200 to 299. Gives 1 when there is more to
 * send, else 0; MFLT_EREFUSED for another status, MFLT_EPROTOCOL for what is no response, MFLT_EIO when the
 * connection failed. */
int mflt_http_post(struct mflt_http *http, void *buffer, uint32_t size);

/* Asks whether there is newer software. Gives 1 and its address in `url`, or 0 when there is none;
 * MFLT_ETOOLARGE when it does not fit; errors as above. */
int mflt_http_check_update(struct mflt_http *http, char *url, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif
