// Many subscribers of a hub that sends every message to all, in one of several processes; and their publisher.
// modes (-m): listen (default) connects, answers pings, and measures how old messages are when they arrive;
// publish sends -r messages a second of -s bytes, which begin with the time (ns, 16 hexadecimal digits), a space and
// a number that grows by one.
// -p PORT -P PATH -c CONNECTIONS -j OF THEM ON THEIR WAY AT A TIME -S SOURCE ADDRESSES, from 127.0.0.2 on
// -g BYTES of the largest segment to be sent to the client, as on a network that is not this machine (TCP_MAXSEG)
// -b BYTES of its receive buffer (SO_RCVBUF)
// Prints "READY" when all are connected, then obeys lines of standard input: "begin" measures (or publishes) from now
// on, "end" tells what came and measures no more, "stand" tells it too; ends with its input. A connection that ends
// before ends the process with 1.
#include "wsclient.h"

typedef struct {
  Wire wire;
  uint64_t last;  // number of the last message
} Client;

static Client* clients;
static int count = 1, at_once = 50, connected, dialled, epoll, is_publisher, is_measuring;
static const char* path = "/b";
static Latencies latencies;
static uint64_t received, missing, published;

static int on_head(Wire* wire, const char* head) {
  (void)wire;
  if (strncmp(head, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "no upgrade: %.60s\n", head);
    return 0;
  }
  connected++;
  return 1;
}

static uint64_t hexadecimal(const uint8_t* digits) {
  uint64_t value = 0;
  for (int i = 0; i < 16; i++) value = value << 4 | (digits[i] < 'a' ? digits[i] - '0' : digits[i] - 'a' + 10);
  return value;
}

static int on_frame(Wire* wire, int opcode, const uint8_t* payload, size_t bytes) {
  if (is_publisher) return 1;
  if (opcode != 1 || bytes < 33) return 0;
  Client* client = (Client*)wire;
  uint64_t number = hexadecimal(payload + 17);
  if (client->last && number <= client->last) {
    fprintf(stderr, "message %llu after %llu\n", (unsigned long long)number, (unsigned long long)client->last);
    return 0;
  }
  if (client->last) missing += number - client->last - 1;
  client->last = number;
  if (!is_measuring) return 1;
  received++;
  record(&latencies, now() - hexadecimal(payload));
  return 1;
}

static void connect_next(void) {
  while (dialled < count && dialled - connected < at_once) {
    Client* client = &clients[dialled];
    *client = (Client){.wire = {.fd = dial(dialled)}};
    if (client->wire.fd < 0) die("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = dialled++};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->wire.fd, &event)) die("epoll_ctl");
  }
}

static void serve(uint32_t index, uint32_t events) {
  Client* client = &clients[index];
  int isWell = 1;
  if (events & EPOLLOUT) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(epoll, EPOLL_CTL_MOD, client->wire.fd, &event);
    isWell = wire_ask(&client->wire, path, "");
  }
  if (isWell && events & ~EPOLLOUT) isWell = wire_read(&client->wire);
  if (!isWell) {
    fprintf(stderr, "connection %u ended\n", index);
    exit(1);
  }
}

static void tell(void) {
  uint64_t lowest = count ? clients[0].last : 0;
  for (int i = 1; i < count; i++)
    if (clients[i].last < lowest) lowest = clients[i].last;
  printf("received=%llu missing=%llu lowest=%llu published=%llu max=%llu", (unsigned long long)received,
         (unsigned long long)missing, (unsigned long long)lowest, (unsigned long long)published,
         (unsigned long long)latencies.max);
  print_latencies("latencies", &latencies);
  printf("\n");
  fflush(stdout);
}

static void obey(const char* line) {
  if (!strcmp(line, "begin")) {
    is_measuring = 1;
    received = 0;
    latencies = (Latencies){0};
  } else if (!strcmp(line, "end") || !strcmp(line, "stand")) {
    if (*line == 'e') is_measuring = 0;
    tell();
  }
}

static void publish(size_t bytes) {
  static char message[1 << 15];
  memset(message, 'x', bytes);
  snprintf(message, sizeof message, "%016llx %016llx", (unsigned long long)now(), (unsigned long long)++published);
  message[33] = ' ';
  if (!wire_send(&clients[0].wire, 1, message, bytes)) die("publish");
}

int main(int argc, char** argv) {
  int rate = 10, size = 64, isReady = 0;
  inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* value = argv[i + 1];
    switch (argv[i][1]) {
      case 'p': server.sin_port = htons(atoi(value)); break;
      case 'P': path = value; break;
      case 'c': count = atoi(value); break;
      case 'j': at_once = atoi(value); break;
      case 'S': sources = atoi(value); break;
      case 'g': segment_bytes = atoi(value); break;
      case 'b': receive_buffer_bytes = atoi(value); break;
      case 'r': rate = atoi(value); break;
      case 's': size = atoi(value); break;
      case 'm': is_publisher = !strcmp(value, "publish"); break;
      default: fprintf(stderr, "unknown option %s\n", argv[i]); return 64;
    }
  }
  if (size < 34 || size > 1 << 14 || rate < 1 || count < 1) return fprintf(stderr, "out of bounds\n"), 64;
  if (is_publisher) count = 1;
  use_all_files();
  fcntl(0, F_SETFL, O_NONBLOCK);
  clients = calloc(count, sizeof *clients);
  epoll = epoll_create1(0);
  struct epoll_event input_event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input_event)) die("standard input");
  connect_next();
  struct epoll_event events[1024];
  uint64_t next = 0, interval = 1000000000ull / rate;
  for (;;) {
    int wait = -1;
    if (is_publisher && is_measuring) {
      uint64_t at = now();
      if (!next) next = at;
      wait = next > at ? (next - at + 999999) / 1000000 : 0;
    } else {
      next = 0;
    }
    int found = epoll_wait(epoll, events, 1024, wait);
    for (int i = 0; i < found; i++) {
      if (events[i].data.u32 != UINT32_MAX) {
        serve(events[i].data.u32, events[i].events);
      } else {
        const char* line = command();
        if (line) obey(line);
      }
    }
    if (dialled < count) connect_next();
    if (!isReady && connected == count) {
      isReady = 1;
      printf("READY\n");
      fflush(stdout);
    }
    if (next && now() >= next) {
      publish(size);
      next += interval;
    }
  }
}
