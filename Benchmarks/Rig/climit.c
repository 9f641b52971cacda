// The least a user-space WebSocket echo server on epoll can do: its rate is the ceiling on the machine.
// usage: climit -p PORT [-t THREADS, each with its own SO_REUSEPORT listener]; path /b broadcasts to all.
// Per loop: one shared 512 KiB receive buffer; replies are built in place at the front of it (unmask while
// moving down 4 bytes), one send per read. Per connection: one pointer and a small struct; bytes are only
// kept when a frame is incomplete.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#define RB (512 * 1024)
typedef struct {
  uint8_t* in;
  uint32_t inl, inc;
  uint8_t* ou;
  uint32_t ol, oo;
  uint8_t st; /*0 http 1 ws*/
  uint8_t b;
  uint32_t bi;
} Cn;  // 40 bytes
// --- sha1 + base64
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
static int port = 9100;
static int nreg = 1;
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
static void* loop(void* _) {
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (nreg > 1) setsockopt(ls, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
  if (bind(ls, (void*)&a, sizeof a) || listen(ls, 4096)) {
    perror("bind");
    exit(1);
  }
  int ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = ls};
  epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
  Cn** T = calloc(20000, sizeof *T);
  uint8_t *rbase = aligned_alloc(4096, RB + 4096), *rb = rbase + 64;
  struct epoll_event ev[1024];
  int* bs = NULL;
  uint32_t nb = 0, cb = 0;  // broadcast members
  printf("climit listening %d\n", port);
  fflush(stdout);
  for (;;) {
    int n = epoll_wait(ep, ev, 1024, -1);
    for (int j = 0; j < n; j++) {
      int fd = ev[j].data.u32;
      if (fd == ls) {
        for (;;) {
          int c = accept4(ls, 0, 0, SOCK_NONBLOCK);
          if (c < 0) break;
          setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          T[c] = calloc(1, sizeof(Cn));
          struct epoll_event x = {.events = EPOLLIN, .data.u32 = c};
          epoll_ctl(ep, EPOLL_CTL_ADD, c, &x);
        }
        continue;
      }
      Cn* c = T[fd];
      if (ev[j].events & EPOLLOUT) {
        ssize_t r = send(fd, c->ou + c->oo, c->ol - c->oo, MSG_NOSIGNAL);
        if (r > 0) {
          c->oo += r;
          if (c->oo == c->ol) {
            free(c->ou);
            c->ou = 0;
            c->ol = c->oo = 0;
            struct epoll_event x = {.events = EPOLLIN, .data.u32 = fd};
            epoll_ctl(ep, EPOLL_CTL_MOD, fd, &x);
          }
        }
        if (!(ev[j].events & ~EPOLLOUT)) continue;
      }
      size_t have = 0;
      if (c->inl) {
        memcpy(rb, c->in, c->inl);
        have = c->inl;
      }
      ssize_t r = recv(fd, rb + have, RB - have, 0);
      if (r < 0 && errno == EAGAIN) continue;
      if (r <= 0) {
      bye:
        close(fd);
        if (c->b) {
          bs[c->bi] = bs[--nb];
          T[bs[c->bi]]->bi = c->bi;
        }
        free(c->in);
        free(c->ou);
        free(c);
        T[fd] = 0;
        continue;
      }
      have += r;
      uint8_t *p = rb, *end = rb + have, *w = rb - 16, *w0 = w;
      if (c->st == 0) {
        rb[have] = 0;
        char* q = strstr((char*)rb, "\r\n\r\n");
        if (q) {
          char* k = strcasestr((char*)rb, "sec-websocket-key:");
          if (!k) goto bye;
          k += 18;
          while (*k == ' ') k++;
          uint8_t m[60];
          memcpy(m, k, 24);
          memcpy(m + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
          uint8_t d[20];
          sha1(m, 60, d);
          char o[256];
          int l = sprintf(o,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                          "Upgrade\r\nSec-WebSocket-Accept: ");
          l += b64(d, 20, o + l);
          l += sprintf(o + l, "\r\n\r\n");
          if (send(fd, o, l, MSG_NOSIGNAL) != l) goto bye;
          c->st = 1;
          if (!strncmp((char*)rb, "GET /b", 6)) {
            if (nb == cb) {
              cb = cb ? cb * 2 : 64;
              bs = realloc(bs, cb * 4);
            }
            c->b = 1;
            c->bi = nb;
            bs[nb++] = fd;
          }
          p = (uint8_t*)q + 4;
        }
      }
      if (c->st == 1) {
        while (end - p >= 6) {
          uint64_t len = p[1] & 127;
          int h = 2;
          if (len == 126) {
            if (end - p < 8) break;
            len = p[2] << 8 | p[3];
            h = 4;
          } else if (len == 127) {
            if (end - p < 14) break;
            len = 0;
            for (int i = 0; i < 8; i++) len = len << 8 | p[2 + i];
            h = 10;
          }
          if (!(p[1] & 0x80)) goto bye;
          if (len > RB - 32) goto bye;
          if ((uint64_t)(end - p) < h + 4 + len) break;
          uint8_t op = p[0] & 15;
          if (op == 8) goto bye;
          uint32_t key;
          memcpy(&key, p + h, 4);
          uint8_t hd[10];
          memcpy(hd, p, h);
          hd[1] &= 0x7f;
          if (op == 9) hd[0] = (hd[0] & 0xf0) | 10;
          if (op != 10) {
            uint8_t* s = p + h + 4;
            memmove(w, hd, h);
            unmask(w + h, s, len, key);
            if (c->b) {
              for (uint32_t i = 0; i < nb; i++) {
                ssize_t z = send(bs[i], w, h + len, MSG_NOSIGNAL);
                (void)z;
              }
            } else
              w += h + len;
          }
          p += h + 4 + len;
        }
      }
      size_t left = end - p;
      uint32_t keepinl = left;
      if (left) {
        if (c->inc < left) {
          c->inc = left < 4096 ? 4096 : left * 2;
          c->in = realloc(c->in, c->inc);
        }
        memcpy(c->in, p, left);
      } else if (c->in) {
        free(c->in);
        c->in = 0;
        c->inc = 0;
      }
      c->inl = keepinl;
      if (w > w0) {
        size_t n2 = w - w0;
        ssize_t z = 0;
        if (!c->ou) {
          z = send(fd, w0, n2, MSG_NOSIGNAL);
          if (z < 0) {
            if (errno != EAGAIN) goto bye;
            z = 0;
          }
        }
        if ((size_t)z < n2) {
          uint8_t* nn = malloc(c->ol - c->oo + n2 - z);
          memcpy(nn, c->ou + c->oo, c->ol - c->oo);
          memcpy(nn + c->ol - c->oo, w0 + z, n2 - z);
          c->ol = c->ol - c->oo + n2 - z;
          c->oo = 0;
          free(c->ou);
          c->ou = nn;
          struct epoll_event x = {.events = EPOLLIN | EPOLLOUT, .data.u32 = fd};
          epoll_ctl(ep, EPOLL_CTL_MOD, fd, &x);
        }
      }
    }
  }
}
int main(int ac, char** av) {
  for (int i = 1; i + 1 < ac; i += 2) {
    if (!strcmp(av[i], "-p")) port = atoi(av[i + 1]);
    if (!strcmp(av[i], "-t")) nreg = atoi(av[i + 1]);
  }
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < nreg; i++) {
    pthread_t t;
    pthread_create(&t, 0, loop, 0);
  }
  loop(0);
}
