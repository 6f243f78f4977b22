/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/http.h"
#include "http_response.h"
#include "mflt/chunk.h"
#include "mflt/port.h"

#include <stddef.h>

/* Bytes that are sent and received at once, beside a chunk. */
#define PIECE 96u
/* Longest body that is read to its end for the sake of the next request; more is an error. */
#define MOST_BODY 4096u

/* A request on its way. */
struct request {
	struct mflt_http *http;
	int error;
	uint32_t used;
	char piece[PIECE];
};

static void send_all(struct request *request, const void *from, uint32_t size)
{
	const uint8_t *bytes = from;

	while (size > 0 && request->error == MFLT_OK) {
		int sent = request->http->send(request->http->context, bytes, size);

		if (sent <= 0 || (uint32_t)sent > size) {
			request->error = MFLT_EIO;
			return;
		}
		bytes += sent;
		size -= (uint32_t)sent;
	}
}

static void flush(struct request *request)
{
	send_all(request, request->piece, request->used);
	request->used = 0;
}

static void put_character(struct request *request, char character)
{
	if (request->used == PIECE) {
		flush(request);
	}
	request->piece[request->used++] = character;
}

static void put(struct request *request, const char *text)
{
	for (; text != NULL && *text != '\0'; text++) {
		put_character(request, *text);
	}
}

/* Text as part of an address: RFC 3986, 2.1. */
static void put_encoded(struct request *request, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; text != NULL && *text != '\0'; text++) {
		uint8_t byte = (uint8_t)*text;

		if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
		    (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '_' ||
		    byte == '~') {
			put_character(request, *text);
		} else {
			put_character(request, '%');
			put_character(request, digits[byte >> 4]);
			put_character(request, digits[byte & 15u]);
		}
	}
}

static void put_number(struct request *request, uint32_t number)
{
	char text[11];
	uint32_t at = sizeof(text) - 1;

	text[at] = '\0';
	do {
		text[--at] = (char)('0' + number % 10u);
		number /= 10u;
	} while (number > 0);
	put(request, &text[at]);
}

/* The headers of every request. Text that would begin another line is an error. */
static void put_headers(struct request *request)
{
	const char *texts[] = {request->http->host, request->http->project_key};

	for (uint32_t i = 0; i < 2; i++) {
		for (const char *at = texts[i]; at != NULL && *at != '\0'; at++) {
			if (*at == '\r' || *at == '\n') {
				request->error = MFLT_EINVAL;
			}
		}
	}
	put(request, " HTTP/1.1\r\nHost: ");
	put(request, request->http->host);
	put(request, "\r\nMemfault-Project-Key: ");
	put(request, request->http->project_key);
	put(request, "\r\n");
}

/* Reads the response. Its body goes into `body`, of which `size` counts down; what does not fit there is
 * passed over. Gives MFLT_OK for a status from 200 to 299. */
static int receive(struct request *request, char *body, uint32_t *size, uint32_t *length)
{
	struct mflt_http *http = request->http;
	struct mflt_http_response response = {0};
	uint32_t received = 0;

	while (!mflt_http_response_is_whole(&response, 0)) {
		int count = http->receive(http->context, request->piece, PIECE);

		if (count < 0 || (uint32_t)count > PIECE) {
			return MFLT_EIO;
		}
		if (count == 0) {
			if (!mflt_http_response_is_whole(&response, 1)) {
				return MFLT_EIO;
			}
			break;
		}
		for (int i = 0; i < count; i++) {
			int result = mflt_http_response_byte(&response, (uint8_t)request->piece[i]);

			if (result < 0 || received > MOST_BODY) {
				return MFLT_EPROTOCOL;
			}
			if (result == MFLT_HTTP_BODY) {
				if (received < *size) {
					body[received] = request->piece[i];
				}
				received++;
			}
		}
	}
	http->status = response.status;
	http->is_closing = response.is_closing;
	*length = received;
	return response.status < 300 ? MFLT_OK : MFLT_EREFUSED;
}

static int post_chunk(struct mflt_http *http, const void *chunk, uint32_t size)
{
	struct request request = {.http = http};
	uint32_t none = 0, length;

	http->status = 0;
	put(&request, "POST /api/v0/chunks/");
	put_encoded(&request, mflt_port_device()->serial);
	put_headers(&request);
	put(&request, "Content-Type: application/octet-stream\r\nContent-Length: ");
	put_number(&request, size);
	put(&request, "\r\n\r\n");
	flush(&request);
	send_all(&request, chunk, size);
	return request.error < 0 ? request.error : receive(&request, NULL, &none, &length);
}

int mflt_http_post(struct mflt_http *http, void *buffer, uint32_t size)
{
	int count;

	mflt_chunk_abort();
	while ((count = mflt_chunk_next(buffer, size)) > 0) {
		int result = post_chunk(http, buffer, (uint32_t)count);

		if (result < 0) {
			mflt_chunk_abort();
			return result;
		}
	}
	return count < 0 ? count : mflt_chunk_delivered();
}

int mflt_http_check_update(struct mflt_http *http, char *url, uint32_t size)
{
	const struct mflt_device *device = mflt_port_device();
	struct request request = {.http = http};
	uint32_t length = 0;

	if (url == NULL || size == 0) {
		return MFLT_EINVAL;
	}
	http->status = 0;
	put(&request, "GET /api/v0/releases/latest/url?device_serial=");
	put_encoded(&request, device->serial);
	put(&request, "&hardware_version=");
	put_encoded(&request, device->hardware_version);
	put(&request, "&software_type=");
	put_encoded(&request, device->software_type);
	put(&request, "&current_version=");
	put_encoded(&request, device->software_version);
	put_headers(&request);
	put(&request, "Accept: text/plain\r\n\r\n");
	flush(&request);
	int result = request.error < 0 ? request.error : receive(&request, url, &size, &length);

	if (result == MFLT_OK && http->status != 204 && length > 0) {
		result = length < size ? 1 : MFLT_ETOOLARGE;
	}
	url[result == 1 ? length : 0] = '\0';
	return result;
}
