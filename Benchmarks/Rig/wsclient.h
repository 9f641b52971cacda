// What the hub's loads share: time, latencies in buckets, and many WebSockets of one thread. A program defines
// `on_head` and `on_frame`; its clients begin with a Wire.
#ifndef WSCLIENT_H
#define WSCLIENT_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The same clock in every process of the machine, and Python's time.monotonic_ns().
static inline uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

// ---- latencies: 64 powers of two with 64 steps each, printed so that those of several processes can be added up
#define STEPS 64
typedef struct {
  uint64_t buckets[64 * STEPS], count, max;
} Latencies;

static inline void record(Latencies* all, uint64_t ns) {
  all->count++;
  if (ns > all->max) all->max = ns;
  unsigned bucket = ns;
  if (ns >= STEPS) {
    int power = 63 - __builtin_clzll(ns);
    bucket = (power - 5) * STEPS + ((ns >> (power - 6)) & (STEPS - 1));
  }
  all->buckets[bucket]++;
}

// " NAME=MIDDLE:COUNT,…", in nanoseconds; " NAME=-" for none.
static void print_latencies(const char* name, const Latencies* all) {
  printf(" %s=", name);
  const char* separator = "";
  for (unsigned bucket = 0; bucket < 64 * STEPS; bucket++) {
    if (!all->buckets[bucket]) continue;
    uint64_t middle = bucket;
    if (bucket >= STEPS) {
      int power = bucket / STEPS + 5;
      uint64_t step = 1ull << (power - 6);
      middle = (1ull << power) + (bucket % STEPS) * step + step / 2;
    }
    printf("%s%llu:%llu", separator, (unsigned long long)middle, (unsigned long long)all->buckets[bucket]);
    separator = ",";
  }
  if (!all->count) printf("-");
}

// ---- connecting
static struct sockaddr_in server = {.sin_family = AF_INET};
static int sources = 1, segment_bytes, receive_buffer_bytes;

// Begins to connect; the i-th client comes from one of so many addresses of this machine.
static int dial(int i) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // A reset at the end leaves no port in TIME_WAIT.
  struct linger reset = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (segment_bytes) setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
  if (receive_buffer_bytes)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  if (sources > 1) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + i % sources)};
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (void*)&from, sizeof from)) die("bind");
  }
  if (connect(fd, (void*)&server, sizeof server) && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

// ---- one WebSocket
typedef struct {
  int fd, upgraded;
  uint32_t kept;  // bytes of an incomplete head or frame
  uint8_t* rest;
} Wire;

// Both return 0 to give the connection up.
static int on_head(Wire* wire, const char* head);
static int on_frame(Wire* wire, int opcode, const uint8_t* payload, size_t count);

#define INPUT_BYTES (1 << 18)
static uint8_t input[INPUT_BYTES + 1];

static inline void wire_close(Wire* wire) {
  if (wire->fd >= 0) close(wire->fd);
  free(wire->rest);
  *wire = (Wire){.fd = -1};
}

// Asks for the upgrade; `protocols` may be "".
static int wire_ask(Wire* wire, const char* path, const char* protocols) {
  static char request[8192];
  int count = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                       path, *protocols ? "Sec-WebSocket-Protocol: " : "", protocols, *protocols ? "\r\n" : "");
  return count < (int)sizeof request && write(wire->fd, request, count) == count;
}

static int wire_send(Wire* wire, int opcode, const void* payload, size_t count) {
  static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  static uint8_t frame[1 << 16];
  if (count > sizeof frame - 8) return 0;
  size_t head = 2;
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (count < 126 ? count : 126);
  if (count >= 126) {
    frame[2] = count >> 8;
    frame[3] = count;
    head = 4;
  }
  memcpy(frame + head, key, 4);
  head += 4;
  for (size_t i = 0; i < count; i++) frame[head + i] = ((const uint8_t*)payload)[i] ^ key[i & 3];
  return write(wire->fd, frame, head + count) == (ssize_t)(head + count);
}

// The whole frames of `bytes`; returns how many bytes they are, or -1 to give up.
static ssize_t wire_frames(Wire* wire, const uint8_t* bytes, size_t count) {
  size_t done = 0;
  while (count - done >= 2) {
    const uint8_t* frame = bytes + done;
    size_t left = count - done, head = 2;
    uint64_t length = frame[1] & 127;
    if (frame[1] & 0x80) return -1;  // servers do not mask
    if (length == 126) {
      if (left < 4) break;
      length = frame[2] << 8 | frame[3];
      head = 4;
    } else if (length == 127) {
      if (left < 10) break;
      length = 0;
      for (int i = 0; i < 8; i++) length = length << 8 | frame[2 + i];
      head = 10;
    }
    if (length > INPUT_BYTES / 2) return -1;
    if (left < head + length) break;
    int opcode = frame[0] & 15;
    if (opcode == 9) {
      if (!wire_send(wire, 10, frame + head, length)) return -1;
    } else if (opcode == 8) {
      return -1;
    } else if (opcode != 10 && !on_frame(wire, opcode, frame + head, length)) {
      return -1;
    }
    done += head + length;
  }
  return done;
}

// Reads once; returns 0 where the connection has ended or is given up.
static int wire_read(Wire* wire) {
  size_t count = wire->kept;
  if (count) memcpy(input, wire->rest, count);
  ssize_t received = read(wire->fd, input + count, INPUT_BYTES - count);
  if (received < 0 && errno == EAGAIN) return 1;
  if (received <= 0) return 0;
  count += received;
  size_t done = 0;
  if (!wire->upgraded) {
    input[count] = 0;
    char* end = strstr((char*)input, "\r\n\r\n");
    if (end) {
      done = end + 4 - (char*)input;
      end[2] = 0;
      if (!on_head(wire, (char*)input)) return 0;
      wire->upgraded = 1;
    } else if (count > 8192) {
      return 0;
    }
  }
  if (wire->upgraded) {
    ssize_t frames = wire_frames(wire, input + done, count - done);
    if (frames < 0) return 0;
    done += frames;
  }
  free(wire->rest);
  wire->rest = NULL;
  wire->kept = count - done;
  if (wire->kept) {
    wire->rest = malloc(wire->kept);
    memcpy(wire->rest, input + done, wire->kept);
  }
  return 1;
}

// ---- what every program begins with
static void use_all_files(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// The next whole line of standard input, which epoll says is readable; NULL for none yet. Its end ends the process.
static char* command(void) {
  static char line[256];
  static size_t count;
  static int isOver;
  if (isOver) count = isOver = 0;
  ssize_t got = read(0, line + count, 1);
  if (got < 0 && errno == EAGAIN) return NULL;
  if (got <= 0) exit(0);
  if (line[count++] != '\n') return count < sizeof line ? NULL : (exit(2), NULL);
  line[count - 1] = 0;
  isOver = 1;
  return line;
}
#endif
