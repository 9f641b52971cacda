// A TCP echo on libuv, one thread, as its documentation advises: one receive buffer for all connections, writes tried
// at once and queued only where the kernel does not take them whole. Argument: the port.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char receive_buffer[64 * 1024];

typedef struct {
  uv_write_t request;
  char bytes[];
} queued;

static void lend_buffer(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle, (void)suggested;
  *buffer = uv_buf_init(receive_buffer, sizeof receive_buffer);
}

static void closed(uv_handle_t* handle) { free(handle); }

static void written(uv_write_t* request, int status) {
  (void)status;  // A broken connection is told by its read as well.
  free(request);
}

static void received(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  if (count < 0) {
    uv_close((uv_handle_t*)stream, closed);
    return;
  }
  if (count == 0) return;
  uv_buf_t all = uv_buf_init(buffer->base, (unsigned)count);
  int taken = uv_try_write(stream, &all, 1);
  if (taken < 0 && taken != UV_EAGAIN) return;
  if (taken < 0) taken = 0;
  if (taken == count) return;
  size_t left = (size_t)(count - taken);
  queued* rest = malloc(sizeof *rest + left);
  memcpy(rest->bytes, buffer->base + taken, left);
  uv_buf_t remaining = uv_buf_init(rest->bytes, (unsigned)left);
  uv_write(&rest->request, stream, &remaining, 1, written);
}

static void accepted(uv_stream_t* listener, int status) {
  if (status < 0) return;
  uv_tcp_t* connection = malloc(sizeof *connection);
  uv_tcp_init(listener->loop, connection);
  if (uv_accept(listener, (uv_stream_t*)connection)) {
    uv_close((uv_handle_t*)connection, closed);
    return;
  }
  uv_tcp_nodelay(connection, 1);
  uv_read_start((uv_stream_t*)connection, lend_buffer, received);
}

int main(int count, char** arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: uv-tcp-echo PORT\n");
    return 64;
  }
  uv_tcp_t listener;
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", atoi(arguments[1]), &address);
  uv_tcp_init(uv_default_loop(), &listener);
  int code = uv_tcp_bind(&listener, (const struct sockaddr*)&address, 0);
  if (!code) code = uv_listen((uv_stream_t*)&listener, 4096, accepted);
  if (code) {
    fprintf(stderr, "uv-tcp-echo: %s\n", uv_strerror(code));
    return 1;
  }
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
