// The same ceiling on io_uring: multishot accept and receive, a provided buffer ring, batched sends.
// usage: uringlimit -p PORT [-z 1]     -z 1: sends without copying (io_uring_prep_send_zc(3))
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#define NB 512
#define BS 32768
#define HD 64 /* head room */
typedef struct {
  uint8_t* in;
  uint32_t inl, inc;
  uint8_t* pd;
  uint32_t pl;
  uint8_t st, infl, dead;
  int sbid;
  uint8_t* sfree;
} Cn;
enum { ACC = 1, RCV, SND };
static uint32_t rol(uint32_t x, int n) {
  return x << n | x >> (32 - n);
}
static void sha1(const uint8_t* m, size_t n, uint8_t* o) {
  uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint8_t b[128] = {0};
  memcpy(b, m, n);
  b[n] = 0x80;
  size_t t = n + 9 <= 64 ? 64 : 128;
  uint64_t L = n * 8;
  for (int i = 0; i < 8; i++) b[t - 1 - i] = L >> (8 * i);
  for (size_t q = 0; q < t; q += 64) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
      w[i] = b[q + 4 * i] << 24 | b[q + 4 * i + 1] << 16 | b[q + 4 * i + 2] << 8 | b[q + 4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], bb = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f, k;
      if (i < 20) {
        f = (bb & c) | (~bb & d);
        k = 0x5A827999;
      } else if (i < 40) {
        f = bb ^ c ^ d;
        k = 0x6ED9EBA1;
      } else if (i < 60) {
        f = (bb & c) | (bb & d) | (c & d);
        k = 0x8F1BBCDC;
      } else {
        f = bb ^ c ^ d;
        k = 0xCA62C1D6;
      }
      uint32_t x = rol(a, 5) + f + e + k + w[i];
      e = d;
      d = c;
      c = rol(bb, 30);
      bb = a;
      a = x;
    }
    h[0] += a;
    h[1] += bb;
    h[2] += c;
    h[3] += d;
    h[4] += e;
  }
  for (int i = 0; i < 5; i++) {
    o[4 * i] = h[i] >> 24;
    o[4 * i + 1] = h[i] >> 16;
    o[4 * i + 2] = h[i] >> 8;
    o[4 * i + 3] = h[i];
  }
}
static int b64(const uint8_t* s, int n, char* o) {
  static const char T[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int k = 0;
  for (int i = 0; i < n; i += 3) {
    uint32_t v = s[i] << 16 | (i + 1 < n ? s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
    o[k++] = T[v >> 18];
    o[k++] = T[v >> 12 & 63];
    o[k++] = i + 1 < n ? T[v >> 6 & 63] : '=';
    o[k++] = i + 2 < n ? T[v & 63] : '=';
  }
  return k;
}
static inline void unmask(uint8_t* d, const uint8_t* s, size_t n, uint32_t key) {
  uint64_t k = key | (uint64_t)key << 32;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t v;
    memcpy(&v, s + i, 8);
    v ^= k;
    memcpy(d + i, &v, 8);
  }
  for (; i < n; i++) d[i] = s[i] ^ (uint8_t)(key >> (8 * (i & 3)));
}
static struct io_uring R;
static struct io_uring_buf_ring* br;
static uint8_t* bufs;
static Cn** T;
static int zero_copy;
static inline uint8_t* bp(int id) {
  return bufs + (size_t)id * (BS + HD);
}
static inline void recycle(int id) {
  io_uring_buf_ring_add(br, bp(id) + HD, BS, id, NB - 1, 0);
  io_uring_buf_ring_advance(br, 1);
}
static inline struct io_uring_sqe* sqe(void) {
  struct io_uring_sqe* s = io_uring_get_sqe(&R);
  if (!s) {
    io_uring_submit(&R);
    s = io_uring_get_sqe(&R);
  }
  return s;
}
static void arm(int fd) {
  struct io_uring_sqe* s = sqe();
  io_uring_prep_recv_multishot(s, fd, NULL, 0, 0);
  s->flags |= IOSQE_BUFFER_SELECT;
  s->buf_group = 0;
  s->user_data = (uint64_t)RCV << 32 | fd;
}
static void snd(int fd, Cn* c, const uint8_t* p, size_t n) {
  struct io_uring_sqe* s = sqe();
  if (zero_copy)
    io_uring_prep_send_zc(s, fd, p, n, MSG_WAITALL | MSG_NOSIGNAL, 0);
  else
    io_uring_prep_send(s, fd, p, n, MSG_WAITALL | MSG_NOSIGNAL);
  s->user_data = (uint64_t)SND << 32 | fd;
  c->infl = 1;
}
static void fin(int fd, Cn* c) {
  if (c->infl) {
    c->dead = 1;
    return;
  }
  close(fd);
  free(c->in);
  free(c->pd);
  free(c);
  T[fd] = 0;
}
int main(int ac, char** av) {
  int port = 9107;
  for (int i = 1; i + 1 < ac; i += 2)
    if (!strcmp(av[i], "-p"))
      port = atoi(av[i + 1]);
    else if (!strcmp(av[i], "-z"))
      zero_copy = atoi(av[i + 1]);
  int ls = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
  if (bind(ls, (void*)&a, sizeof a) || listen(ls, 4096)) {
    perror("bind");
    return 1;
  }
  setsockopt(ls, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                       IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
                              .cq_entries = 16384};
  int e = io_uring_queue_init_params(4096, &R, &p);
  if (e) {
    fprintf(stderr, "ring %s\n", strerror(-e));
    return 1;
  }
  T = calloc(20001, sizeof *T);
  bufs = aligned_alloc(4096, ((size_t)NB * (BS + HD) + 4095) & ~4095ul);
  br = mmap(0, NB * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)br, .ring_entries = NB, .bgid = 0};
  if ((e = io_uring_register_buf_ring(&R, &reg, 0))) {
    fprintf(stderr, "bufring %s\n", strerror(-e));
    return 1;
  }
  io_uring_buf_ring_init(br);
  for (int i = 0; i < NB; i++) {
    io_uring_buf_ring_add(br, bp(i) + HD, BS, i, NB - 1, i);
  }
  io_uring_buf_ring_advance(br, NB);
  struct io_uring_sqe* s = sqe();
  io_uring_prep_multishot_accept(s, ls, 0, 0, 0);
  s->user_data = (uint64_t)ACC << 32;
  printf("uringlimit listening %d\n", port);
  fflush(stdout);
  for (;;) {
    io_uring_submit_and_wait(&R, 1);
    struct io_uring_cqe* c;
    unsigned head, cnt = 0;
    io_uring_for_each_cqe(&R, head, c) {
      cnt++;
      int fd = (uint32_t)c->user_data, op = c->user_data >> 32;
      if (op == ACC) {
        if (c->res >= 0) {
          int f = c->res;
          T[f] = calloc(1, sizeof(Cn));
          T[f]->sbid = -1;
          arm(f);
        }
        if (!(c->flags & IORING_CQE_F_MORE)) {
          s = sqe();
          io_uring_prep_multishot_accept(s, ls, 0, 0, 0);
          s->user_data = (uint64_t)ACC << 32;
        }
        continue;
      }
      Cn* n = T[fd];
      if (op == SND) {
        if (c->flags & IORING_CQE_F_MORE) continue; // the bytes are the kernel's until its notification
        n->infl = 0;
        if (n->sbid >= 0) {
          recycle(n->sbid);
          n->sbid = -1;
        }
        if (n->sfree) {
          free(n->sfree);
          n->sfree = 0;
        }
        if (c->res < 0) n->dead = n->dead;
        if (n->dead) {
          fin(fd, n);
          continue;
        }
        if (n->pl) {
          n->sfree = n->pd;
          snd(fd, n, n->pd, n->pl);
          n->pd = 0;
          n->pl = 0;
        }
        continue;
      }
      // RCV
      if (c->res <= 0) {
        if (c->res == -ENOBUFS) {
          arm(fd);
          continue;
        }
        if (n) fin(fd, n);
        continue;
      }
      int id = c->flags >> IORING_CQE_BUFFER_SHIFT, more = c->flags & IORING_CQE_F_MORE, kept = 0;
      uint8_t* b = bp(id) + HD;
      size_t have = c->res;
      uint8_t *q, *end, *w, *w0;
      if (n->inl) {
        if (n->inc < n->inl + have) {
          n->inc = (n->inl + have) * 2;
          n->in = realloc(n->in, n->inc);
        }
        memcpy(n->in + n->inl, b, have);
        n->inl += have;
        q = n->in;
        end = q + n->inl;
      } else {
        q = b;
        end = b + have;
      }
      int fromin = q != b;
      w = w0 = fromin ? malloc(end - q + 16) : b - 16;
      if (n->st == 0) {
        char tmp[1024];
        size_t l = end - q < 1023 ? end - q : 1023;
        memcpy(tmp, q, l);
        tmp[l] = 0;
        char* x = strstr(tmp, "\r\n\r\n");
        if (x) {
          char* k = strcasestr(tmp, "sec-websocket-key:");
          if (k) {
            k += 18;
            while (*k == ' ') k++;
            uint8_t m[60];
            memcpy(m, k, 24);
            memcpy(m + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
            uint8_t d[20];
            sha1(m, 60, d);
            char o[256];
            int z = sprintf(o,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                            "Upgrade\r\nSec-WebSocket-Accept: ");
            z += b64(d, 20, o + z);
            z += sprintf(o + z, "\r\n\r\n");
            if (send(fd, o, z, MSG_NOSIGNAL) < 0) {
            }
            n->st = 1;
            q += x + 4 - tmp;
          }
        }
      }
      if (n->st == 1)
        while (end - q >= 6) {
          uint64_t len = q[1] & 127;
          int h = 2;
          if (len == 126) {
            if (end - q < 8) break;
            len = q[2] << 8 | q[3];
            h = 4;
          } else if (len == 127) {
            if (end - q < 14) break;
            len = 0;
            for (int i = 0; i < 8; i++) len = len << 8 | q[2 + i];
            h = 10;
          }
          if ((uint64_t)(end - q) < h + 4 + len) break;
          uint32_t key;
          memcpy(&key, q + h, 4);
          uint8_t hd[10];
          memcpy(hd, q, h);
          hd[1] &= 0x7f;
          if ((hd[0] & 15) == 9) hd[0] ^= 3;
          if ((hd[0] & 15) != 8) {
            memmove(w, hd, h);
            unmask(w + h, q + h + 4, len, key);
            w += h + len;
          }
          q += h + 4 + len;
        }
      size_t left = end - q;
      if (left) {
        if (fromin)
          memmove(n->in, q, left);
        else {
          if (n->inc < left) {
            n->inc = left * 2;
            n->in = realloc(n->in, n->inc);
          }
          memcpy(n->in, q, left);
        }
      } else if (n->in) {
        free(n->in);
        n->in = 0;
        n->inc = 0;
      }
      n->inl = left;
      size_t on = w - w0;
      if (on) {
        if (n->infl) {
          n->pd = realloc(n->pd, n->pl + on);
          memcpy(n->pd + n->pl, w0, on);
          n->pl += on;
          if (fromin) free(w0);
        } else {
          snd(fd, n, w0, on);
          if (fromin)
            n->sfree = w0;
          else {
            n->sbid = id;
            kept = 1;
          }
        }
      } else if (fromin)
        free(w0);
      if (!kept) recycle(id);
      if (!more) arm(fd);
    }
    io_uring_cq_advance(&R, cnt);
  }
}
