// The WebSocket load: one thread, epoll (or io_uring with -u); every reply is checked.
// modes (-m): echo (default; -d messages in flight per connection), bcast (one publishes, all receive),
// idle (holds the connections until stdin closes; -e echoes once on each first), churn (connect, upgrade, close).
// -h HOST -p PORT -P PATH -c CONNECTIONS -s BYTES -b (binary) -t SECONDS -w WARM-UP SECONDS
// -S source addresses, from 127.0.0.2 on   -pid server's process, for its CPU per message   -l label
// -sio speaks Socket.IO: a message is the event m with -s bytes, both ways
// -fin closes with FIN instead of RST   -u client on io_uring
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static inline uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char* m) {
  perror(m);
  exit(1);
}
static const char* host = "127.0.0.1";
static int port = 9101, conns = 200, size = 64, depth = 1, nsrc = 1, binary = 0, pid = 0, echo1 = 0,
           uring = 0, linger0 = 1, sio = 0;
static double secs = 5, warm = 1;
static const char *mode = "echo", *path = "/";
static const char* label = "";
// ---- latency histogram: 64 log buckets x 64 sub
#define SUB 64
static uint64_t hist[64 * SUB], hcount, hmax;
static inline void hadd(uint64_t v) {
  hcount++;
  if (v > hmax) hmax = v;
  unsigned b;
  if (v < SUB)
    b = v;
  else {
    int e = 63 - __builtin_clzll(v);
    b = (e - 5) * SUB + ((v >> (e - 6)) & (SUB - 1));
  }
  hist[b]++;
}
static double hq(double q) {
  uint64_t t = (uint64_t)(q * hcount), c = 0;
  for (unsigned b = 0; b < 64 * SUB; b++) {
    c += hist[b];
    if (c > t) {
      if (b < SUB) return b;
      int e = b / SUB + 5;
      return (double)(1ull << e) + ((double)(b % SUB) + 0.5) * (double)(1ull << (e - 6));
    }
  }
  return hmax;
}
// ---- server cpu
static uint64_t wait_ns;
static uint64_t srv_ns(void) {
  wait_ns = 0;
  if (!pid) return 0;
  char p[64];
  snprintf(p, 64, "/proc/%d/task", pid);
  DIR* d = opendir(p);
  if (!d) return 0;
  uint64_t s = 0;
  struct dirent* e;
  while ((e = readdir(d))) {
    if (e->d_name[0] == '.') continue;
    char f[400];
    snprintf(f, 400, "%s/%s/schedstat", p, e->d_name);
    FILE* x = fopen(f, "r");
    if (!x) continue;
    unsigned long long a, b2;
    if (fscanf(x, "%llu %llu", &a, &b2) == 2) {
      s += a;
      wait_ns += b2;
    }
    fclose(x);
  }
  closedir(d);
  return s;
}
static uint64_t self_wait(void) {
  FILE* x = fopen("/proc/self/schedstat", "r");
  unsigned long long a = 0, b = 0;
  if (x) {
    if (fscanf(x, "%llu %llu", &a, &b) != 2) b = 0;
    fclose(x);
  }
  return b;
}
static uint64_t w0s, w0c;
static uint64_t self_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
typedef struct {
  int fd;
  uint32_t remain; /*payload bytes left in the current frame*/
  uint8_t hpos;    /*header bytes matched*/
  uint32_t got;    /*frames of this batch*/
  size_t woff;
  uint64_t t0;
  uint32_t seq;
} Conn;
static Conn* C;
static int ep;
static uint8_t* out;
static size_t outlen;
static uint8_t rh[10];
static int rhl;
static uint8_t* pay;
static uint8_t rb[1 << 18];
static uint64_t frames;
static int measuring;
static struct sockaddr_in srv;
static int sock(int i, int nb) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (nsrc > 1) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(0x7f000002u + (i % nsrc));
    int o = 1;
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &o, sizeof o);
    if (bind(fd, (void*)&a, sizeof a)) die("bind");
  }
  if (linger0) {
    struct linger l = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  }
  if (nb) fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}
static char req[512];
static int reql;
// Reads one short frame, whose text has to begin with `want`.
static void sio_expect(int fd, const char* want) {
  uint8_t h[4], t[1024];
  if (recv(fd, h, 2, MSG_WAITALL) != 2) die("socket.io head");
  int n = h[1] & 127;
  if (n == 126) {
    if (recv(fd, h + 2, 2, MSG_WAITALL) != 2) die("socket.io length");
    n = h[2] << 8 | h[3];
  }
  if (n > (int)sizeof t || recv(fd, t, n, MSG_WAITALL) != n || strncmp((char*)t, want, strlen(want))) {
    fprintf(stderr, "not %s…: %.*s\n", want, n < 100 ? n : 100, t);
    exit(1);
  }
}
// Engine.IO's open packet, then Socket.IO's connection to the main namespace.
static void sio_open(int fd) {
  sio_expect(fd, "0{");
  const uint8_t hello[] = {0x81, 0x82, 0, 0, 0, 0, '4', '0'};
  if (write(fd, hello, sizeof hello) != sizeof hello) die("socket.io connect");
  sio_expect(fd, "40{");
}
static int upgrade(int i) {
  int fd = sock(i, 0);
  if (connect(fd, (void*)&srv, sizeof srv)) die("connect");
  if (write(fd, req, reql) != reql) die("write req");
  char b[2048];
  int n = 0;
  for (;;) {
    int r = read(fd, b + n, 1); /*byte-wise so that nothing after the head is eaten*/
    if (r <= 0) {
      fprintf(stderr, "upgrade: closed after %d bytes\n", n);
      exit(1);
    }
    n++;
    if (n >= 4 && !memcmp(b + n - 4, "\r\n\r\n", 4)) break;
    if (n > 2000) {
      fprintf(stderr, "head too long\n");
      exit(1);
    }
  }
  b[n] = 0;
  if (strncmp(b, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "not 101: %s\n", b);
    exit(1);
  }
  if (!strcasestr(b, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) {
    fprintf(stderr, "bad accept\n");
    exit(1);
  }
  if (sio) sio_open(fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}
static void flushw(Conn* c, int idx) {
  while (c->woff < outlen) {
    ssize_t r = write(c->fd, out + c->woff, outlen - c->woff);
    if (r < 0) {
      if (errno == EAGAIN) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u32 = idx};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
        return;
      }
      die("write");
    }
    c->woff += r;
  }
}
static void startbatch(Conn* c, int idx) {
  c->got = 0;
  c->woff = 0;
  c->t0 = now();
  flushw(c, idx);
}
// consume: returns number of complete frames
static inline int consume(Conn* c, const uint8_t* p, size_t n) {
  int f = 0;
  const uint8_t* e = p + n;
  while (p < e) {
    if (c->remain) {
      size_t k = e - p < c->remain ? (size_t)(e - p) : c->remain;
      if ((c->seq & 1023) == 0 || !measuring) {
        size_t off = size - c->remain;
        if (memcmp(p, pay + off, k)) {
          fprintf(stderr, "payload mismatch\n");
          exit(1);
        }
      }
      p += k;
      c->remain -= k;
      if (!c->remain) {
        f++;
        c->seq++;
      }
      continue;
    }
    if (c->hpos == 0 && e - p >= rhl) {
      if (memcmp(p, rh, rhl)) {
        fprintf(stderr, "bad header %02x %02x\n", p[0], p[1]);
        exit(1);
      }
      p += rhl;
      c->remain = size;
      if (!size) {
        f++;
      }
      continue;
    }
    if (*p != rh[c->hpos]) {
      fprintf(stderr, "bad header byte %d: %02x want %02x\n", c->hpos, *p, rh[c->hpos]);
      exit(1);
    }
    p++;
    c->hpos++;
    if (c->hpos == rhl) {
      c->hpos = 0;
      c->remain = size;
      if (!size) f++;
    }
  }
  return f;
}
static void mkframes(void) {
  uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  pay = malloc(size + 1);
  if (sio) {
    size += 10;  // 42["m","…"]
    pay = realloc(pay, size + 1);
  }
  for (int i = 0; i < size; i++) pay[i] = binary ? (uint8_t)(i * 31 + 7) : (uint8_t)('a' + i % 26);
  if (sio) {
    memcpy(pay, "42[\"m\",\"", 8);
    memcpy(pay + size - 2, "\"]", 2);
  }
  uint8_t h[14];
  int hl = 0;
  h[hl++] = 0x80 | (binary ? 2 : 1);
  if (size < 126)
    h[hl++] = 0x80 | size;
  else if (size < 65536) {
    h[hl++] = 0x80 | 126;
    h[hl++] = size >> 8;
    h[hl++] = size;
  } else {
    h[hl++] = 0x80 | 127;
    for (int i = 7; i >= 0; i--) h[hl++] = (uint64_t)size >> (8 * i);
  }
  memcpy(rh, h, hl);
  rh[1] &= 0x7f;
  rhl = hl;
  memcpy(h + hl, key, 4);
  hl += 4;
  outlen = (size_t)(hl + size) * depth;
  out = malloc(outlen);
  for (int d = 0; d < depth; d++) {
    uint8_t* o = out + (size_t)d * (hl + size);
    memcpy(o, h, hl);
    for (int i = 0; i < size; i++) o[hl + i] = pay[i] ^ key[i & 3];
  }
}
static void report(uint64_t n, double el, uint64_t s0, uint64_t s1, uint64_t c0, uint64_t c1) {
  printf("%s msgs=%llu secs=%.2f rate=%.0f/s", label, (unsigned long long)n, el, n / el);
  if (hcount)
    printf(" lat_us p50=%.1f p99=%.1f p99.9=%.1f max=%.1f", hq(.5) / 1e3, hq(.99) / 1e3, hq(.999) / 1e3,
           hmax / 1e3);
  printf(" client_cpu=%.0f%% client_wait=%.0f%%", 100.0 * (c1 - c0) / 1e9 / el,
         100.0 * (self_wait() - w0c) / 1e9 / el);
  if (pid)
    printf(" server_wait=%.0f%% server_cpu=%.0f%% server_ns/msg=%.0f", 100.0 * (wait_ns - w0s) / 1e9 / el,
           100.0 * (s1 - s0) / 1e9 / el, n ? (double)(s1 - s0) / n : 0);
  printf(" total=%llu\n", (unsigned long long)frames);
  fflush(stdout);
}

// ---- io_uring client loop (echo mode): multishot recv + provided buffers + batched sends, so that the
// client costs less than the server
#define UNB 1024
#define UBS 32768
static struct io_uring UR;
static inline struct io_uring_sqe* usqe(void) {
  struct io_uring_sqe* s = io_uring_get_sqe(&UR);
  if (!s) {
    io_uring_submit(&UR);
    s = io_uring_get_sqe(&UR);
  }
  return s;
}
static inline void uarm(int i) {
  struct io_uring_sqe* s = usqe();
  io_uring_prep_recv_multishot(s, C[i].fd, NULL, 0, 0);
  s->flags |= IOSQE_BUFFER_SELECT;
  s->buf_group = 0;
  s->user_data = i;
}
static inline void usend(int i) {
  Conn* c = &C[i];
  c->got = 0;
  c->t0 = now();
  struct io_uring_sqe* s = usqe();
  io_uring_prep_send(s, c->fd, out, outlen, MSG_WAITALL | MSG_NOSIGNAL);
  s->flags |= IOSQE_CQE_SKIP_SUCCESS;
  s->user_data = (1ull << 32) | i;
}
static int uloop(void) {
  struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                       IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
                              .cq_entries = 16384};
  int e = io_uring_queue_init_params(4096, &UR, &p);
  if (e) {
    fprintf(stderr, "ring %s\n", strerror(-e));
    return 1;
  }
  uint8_t* bufs = aligned_alloc(4096, (size_t)UNB * UBS);
  struct io_uring_buf_ring* br =
      mmap(0, UNB * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)br, .ring_entries = UNB, .bgid = 0};
  if ((e = io_uring_register_buf_ring(&UR, &reg, 0))) {
    fprintf(stderr, "bufring %s\n", strerror(-e));
    return 1;
  }
  io_uring_buf_ring_init(br);
  for (int i = 0; i < UNB; i++) io_uring_buf_ring_add(br, bufs + (size_t)i * UBS, UBS, i, UNB - 1, i);
  io_uring_buf_ring_advance(br, UNB);
  for (int i = 0; i < conns; i++) {
    fcntl(C[i].fd, F_SETFL, 0);
    uarm(i);
    usend(i);
  }
  uint64_t T0 = now(), Tm = T0 + (uint64_t)(warm * 1e9), Te = Tm + (uint64_t)(secs * 1e9), tstart = 0, s0 = 0,
           c0 = 0, base = 0, tn;
  int idle = 0;
  for (;;) {
    struct io_uring_cqe* c;
    struct __kernel_timespec ts = {1, 0};
    int r = io_uring_submit_and_wait_timeout(&UR, &c, 1, &ts, NULL);
    tn = now();
    if (!measuring && tn >= Tm) {
      measuring = 1;
      base = frames;
      tstart = tn;
      s0 = srv_ns();
      w0s = wait_ns;
      w0c = self_wait();
      c0 = self_ns();
    }
    if (tn >= Te) break;
    if (r == -ETIME) {
      if (++idle > 5) {
        fprintf(stderr, "%s STALL\n", label);
        exit(1);
      }
      continue;
    }
    idle = 0;
    unsigned head, cnt = 0;
    io_uring_for_each_cqe(&UR, head, c) {
      cnt++;
      int i = (uint32_t)c->user_data;
      Conn* k = &C[i];
      if (c->user_data >> 32) {
        if (c->res != (int)outlen) {
          fprintf(stderr, "%s send res %d\n", label, c->res);
          exit(1);
        }
        continue;
      }
      if (c->res == -ENOBUFS) {
        uarm(i);
        continue;
      }
      if (c->res <= 0) {
        fprintf(stderr, "%s: server closed conn %d (%d)\n", label, i, c->res);
        exit(1);
      }
      int id = c->flags >> IORING_CQE_BUFFER_SHIFT;
      int f = consume(k, bufs + (size_t)id * UBS, c->res);
      frames += f;
      k->got += f;
      io_uring_buf_ring_add(br, bufs + (size_t)id * UBS, UBS, id, UNB - 1, 0);
      io_uring_buf_ring_advance(br, 1);
      if (!(c->flags & IORING_CQE_F_MORE)) uarm(i);
      if (k->got > (uint32_t)depth) {
        fprintf(stderr, "too many frames\n");
        exit(1);
      }
      if (k->got == (uint32_t)depth) {
        if (measuring) hadd(now() - k->t0);
        usend(i);
      }
    }
    io_uring_cq_advance(&UR, cnt);
  }
  report(frames - base, (tn - tstart) / 1e9, s0, srv_ns(), c0, self_ns());
  return 0;
}
int main(int ac, char** av) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < ac; i++) {
    const char* a = av[i];
#define A(x) !strcmp(a, x)
    if (A("-h"))
      host = av[++i];
    else if (A("-p"))
      port = atoi(av[++i]);
    else if (A("-c"))
      conns = atoi(av[++i]);
    else if (A("-s"))
      size = atoi(av[++i]);
    else if (A("-d"))
      depth = atoi(av[++i]);
    else if (A("-t"))
      secs = atof(av[++i]);
    else if (A("-w"))
      warm = atof(av[++i]);
    else if (A("-m"))
      mode = av[++i];
    else if (A("-b"))
      binary = 1;
    else if (A("-P"))
      path = av[++i];
    else if (A("-S"))
      nsrc = atoi(av[++i]);
    else if (A("-pid"))
      pid = atoi(av[++i]);
    else if (A("-l"))
      label = av[++i];
    else if (A("-fin"))
      linger0 = 0;
    else if (A("-sio"))
      sio = 1;
    else if (A("-e"))
      echo1 = 1;
    else if (A("-u"))
      uring = 1;
    else {
      fprintf(stderr, "bad arg %s\n", a);
      return 2;
    }
  }
  if (!strcmp(mode, "bcast") && !strcmp(path, "/")) path = "/b";
  srv.sin_family = AF_INET;
  srv.sin_port = htons(port);
  inet_pton(AF_INET, host, &srv.sin_addr);
  reql =
      snprintf(req, 512,
               "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: "
               "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
               path, host, port);
  C = calloc(conns, sizeof *C);
  if (!strcmp(mode, "churn")) {  // conns = concurrency; nonblocking connect+upgrade+close loop
    ep = epoll_create1(0);
    typedef struct {
      int fd, st, n;
      uint64_t t0;
      char b[1024];
    } K;
    K* k = calloc(conns, sizeof *k);
    int ctr = 0;
    struct epoll_event ev[512];
    uint64_t done = 0, base = 0;
    uint64_t T0 = now(), Tm = T0 + (uint64_t)(warm * 1e9), Te = Tm + (uint64_t)(secs * 1e9), tstart = Tm;
    uint64_t s0 = 0, c0 = 0;
    for (int i = 0; i < conns; i++) {
      k[i].fd = sock(ctr++, 1);
      k[i].st = 0;
      k[i].n = 0;
      k[i].t0 = now();
      if (connect(k[i].fd, (void*)&srv, sizeof srv) && errno != EINPROGRESS) die("connect");
      struct epoll_event e = {.events = EPOLLOUT | EPOLLIN | EPOLLET, .data.u32 = i};
      epoll_ctl(ep, EPOLL_CTL_ADD, k[i].fd, &e);
    }
    for (;;) {
      int n = epoll_wait(ep, ev, 512, 100);
      uint64_t t = now();
      if (!measuring && t >= Tm) {
        measuring = 1;
        base = done;
        tstart = t;
        s0 = srv_ns();
        w0s = wait_ns;
        w0c = self_wait();
        c0 = self_ns();
      }
      if (t >= Te) break;
      for (int j = 0; j < n; j++) {
        int i = ev[j].data.u32;
        K* q = &k[i];
        if (q->st == 0 && (ev[j].events & (EPOLLERR | EPOLLHUP))) {
          int er = 0;
          socklen_t sl = sizeof er;
          getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &er, &sl);
          fprintf(stderr, "connect err %s\n", strerror(er));
          exit(1);
        }
        if (q->st == 0 && (ev[j].events & EPOLLOUT)) {
          if (write(q->fd, req, reql) != reql) die("w");
          q->st = 1;
        }
        if (q->st == 1 && (ev[j].events & EPOLLIN)) {
          int r = read(q->fd, q->b + q->n, 1023 - q->n);
          if (r < 0 && errno == EAGAIN) continue;
          if (r <= 0) {
            fprintf(stderr, "churn closed\n");
            exit(1);
          }
          q->n += r;
          q->b[q->n] = 0;
          if (!strstr(q->b, "\r\n\r\n")) continue;
          if (strncmp(q->b, "HTTP/1.1 101", 12)) {
            fprintf(stderr, "not 101\n");
            exit(1);
          }
          close(q->fd);
          done++;
          if (measuring) hadd(now() - q->t0);
          q->fd = sock(ctr++, 1);
          q->st = 0;
          q->n = 0;
          q->t0 = now();
          if (connect(q->fd, (void*)&srv, sizeof srv) && errno != EINPROGRESS) die("connect");
          struct epoll_event e = {.events = EPOLLOUT | EPOLLIN | EPOLLET, .data.u32 = i};
          epoll_ctl(ep, EPOLL_CTL_ADD, q->fd, &e);
        }
      }
    }
    report(done - base, (now() - tstart) / 1e9, s0, srv_ns(), c0, self_ns());
    return 0;
  }
  uint64_t u0 = now();
  for (int i = 0; i < conns; i++) C[i].fd = upgrade(i);
  double ut = (now() - u0) / 1e9;
  if (!strcmp(mode, "idle")) {
    if (echo1) {
      mkframes();
      for (int i = 0; i < conns; i++) {
        int fd = C[i].fd;
        fcntl(fd, F_SETFL, 0);
        if (write(fd, out, outlen) != (ssize_t)outlen) die("w");
        int want = (rhl + size) * depth;
        while (want > 0) {
          int r = read(fd, rb, want < (int)sizeof rb ? want : (int)sizeof rb);
          if (r <= 0) die("r");
          want -= r;
        }
      }
    }
    printf("READY %d conns in %.2fs\n", conns, ut);
    fflush(stdout);
    char b[8];
    (void)!read(0, b, 1); /* hold until stdin closes */
    return 0;
  }
  mkframes();
  if (uring && !strcmp(mode, "echo")) return uloop();
  ep = epoll_create1(0);
  for (int i = 0; i < conns; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(ep, EPOLL_CTL_ADD, C[i].fd, &e);
  }
  int bc = !strcmp(mode, "bcast");
  uint64_t need = 0, have = 0, tb = 0;  // bcast: conn 0 publishes depth msgs, wait for conns*depth deliveries
  need = (uint64_t)conns * depth;
  if (bc) {
    tb = now();
    C[0].woff = 0;
    flushw(&C[0], 0);
  } else
    for (int i = 0; i < conns; i++) startbatch(&C[i], i);
  struct epoll_event ev[1024];
  uint64_t T0 = now(), Tm = T0 + (uint64_t)(warm * 1e9), Te = Tm + (uint64_t)(secs * 1e9), tstart = 0, s0 = 0,
           c0 = 0, base = 0, tn;
  int chk = 0;
  for (;;) {
    int n = epoll_wait(ep, ev, 1024, 1000);
    tn = now();
    if (!measuring && tn >= Tm) {
      measuring = 1;
      base = frames;
      tstart = tn;
      s0 = srv_ns();
      w0s = wait_ns;
      w0c = self_wait();
      c0 = self_ns();
    }
    if (tn >= Te) break;
    if (n == 0 && ++chk > 5) {
      fprintf(stderr, "%s STALL: nothing for 5 s\n", label);
      exit(1);
    }
    if (n) chk = 0;
    for (int j = 0; j < n; j++) {
      int i = ev[j].data.u32;
      Conn* c = &C[i];
      if (ev[j].events & EPOLLOUT) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
        flushw(c, i);
      }
      if (!(ev[j].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
      ssize_t r = read(c->fd, rb, sizeof rb);
      if (r < 0) {
        if (errno == EAGAIN) continue;
        die("read");
      }
      if (r == 0) {
        fprintf(stderr, "%s: server closed conn %d\n", label, i);
        exit(1);
      }
      int f = consume(c, rb, r);
      frames += f;
      if (bc) {
        have += f;
        if (have >= need) {
          have -= need;
          if (measuring) hadd(now() - tb);
          tb = now();
          C[0].woff = 0;
          flushw(&C[0], 0);
        }
      } else {
        c->got += f;
        if (c->got > (uint32_t)depth) {
          fprintf(stderr, "too many frames\n");
          exit(1);
        }
        if (c->got == (uint32_t)depth) {
          if (measuring) hadd(now() - c->t0);
          startbatch(c, i);
        }
      }
    }
  }
  report(frames - base, (tn - tstart) / 1e9, s0, srv_ns(), c0, self_ns());
  return 0;
}
