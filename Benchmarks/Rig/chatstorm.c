// Members of chat-server's rooms, in one of several processes: they say hello, enter their room, and when the server
// has gone all come back at once by their resume tokens, saying how far they know their room. The first member of each
// room says the numbers 1, 2, 3 … in it, one more when the last was answered, and again what was not: on a new store
// what is said N-th has the offset N, so that every member can tell what is lost, comes twice or in another order.
// -p PORT -c MEMBERS -f NUMBER OF THE FIRST, among those of all processes -R ROOMS -i MILLISECONDS from word to word
// -j MEMBERS ON THEIR WAY AT A TIME, at first -S SOURCE ADDRESSES, from 127.0.0.2 on
// Prints "READY" when all are in their rooms and have a token, and "BACK" with the times (ns) from "go" when they are
// again. Obeys lines of standard input: "talk", "hush", "go" (come back now, all), "stand" (tell how it stands).
#include "wsclient.h"

typedef enum { AWAY, DIALLING, ASKING, HELLO, ENTERING, WAITING, RESUMING, FOLLOWING, IN } Phase;

typedef struct {
  Wire wire;
  Phase phase;
  uint8_t isIn;     // has been in its room once
  uint8_t follows;  // was told, after it came back, that its room goes on
  uint32_t said;    // the last number that was answered for; of the first member of a room
  uint32_t saying;  // the number that is not answered yet; 0 for none
  uint64_t next;    // when to try again, or to say the next number
  uint64_t offset;  // how far it knows the room
  char epoch[16];
  char* token;
} Member;

static struct {
  uint64_t lost, duplicates, early, unrecovered, disbelieved, failures, refused, unreached, cut;
} counts;

static Member* members;
static int count = 1, first_number, rooms = 1, at_once = 64, interval_ms = 500;
static int epoll, isTalking, isReady, isBack, inside, under_way, dialled, hasGone;
static uint64_t gone_at;
static Latencies upgraded, resumed;

static int number_of(const Member* member) { return first_number + (int)(member - members); }
static int room_of(const Member* member) { return number_of(member) % rooms; }
static int isSpeaker(const Member* member) { return number_of(member) < rooms; }

// ---- the little of the hub's JSON envelopes that members need
static const char* value_of(const char* key, const char* text, size_t bytes) {
  char name[32];
  int length = snprintf(name, sizeof name, "\"%s\":", key);
  const char* found = memmem(text, bytes, name, length);
  return found ? found + length : NULL;
}

static int isTrue(const char* value) { return value && *value == 't'; }

static int say(Member* member, const char* envelope) {
  return wire_send(&member->wire, 1, envelope, strlen(envelope));
}

static int say_number(Member* member) {
  char envelope[320];
  member->saying = member->said + 1;
  snprintf(envelope, sizeof envelope,
           "{\"type\":\"publish\",\"id\":9,\"topic\":\"room-%d\",\"event\":\"say\",\"idempotency\":\"%d-%u\","
           "\"json\":{\"text\":\"%u\",\"ref\":\"%u\"}}",
           room_of(member), room_of(member), member->saying, member->saying, member->saying);
  member->next = now() + interval_ms * 1000000ull;
  return say(member, envelope);
}

static int resume(Member* member) {
  static char envelope[16384];
  int length = snprintf(envelope, sizeof envelope,
                        "{\"type\":\"resume\",\"token\":\"%s\",\"positions\":[{\"topic\":\"room-%d\",\"epoch\":\"%s\","
                        "\"offset\":%llu}]}",
                        member->token, room_of(member), member->epoch, (unsigned long long)member->offset);
  member->follows = 0;
  return length < (int)sizeof envelope && say(member, envelope);
}

static int welcomed(Member* member, const char* text, size_t bytes) {
  char envelope[160];
  if (member->phase == RESUMING) {
    // The first is said to everybody; the second to whom the hub believes.
    if (isTrue(value_of("resumed", text, bytes))) member->phase = FOLLOWING;
    return 1;
  }
  if (member->phase != HELLO) return 0;
  snprintf(envelope, sizeof envelope,
           "{\"type\":\"request\",\"id\":1,\"event\":\"hello\",\"json\":{\"version\":1,\"name\":\"m%d\"}}",
           number_of(member));
  return say(member, envelope);
}

static int greeted(Member* member) {
  char envelope[96];
  if (member->phase != HELLO) return 0;
  snprintf(envelope, sizeof envelope, "{\"type\":\"subscribe\",\"id\":2,\"topic\":\"room-%d\"}", room_of(member));
  member->phase = ENTERING;
  return say(member, envelope);
}

static int subscribed(Member* member, const char* text, size_t bytes) {
  const char *offset = value_of("offset", text, bytes), *epoch = value_of("epoch", text, bytes);
  if (!offset || !epoch) return 0;
  if (member->phase == FOLLOWING) {
    member->follows = 1;
    if (!isTrue(value_of("recovered", text, bytes))) counts.unrecovered++;
    if (strncmp(epoch + 1, member->epoch, strlen(member->epoch))) counts.lost++;
    return 1;
  }
  member->offset = strtoull(offset, NULL, 10);
  size_t length = strcspn(epoch + 1, "\"");
  if (length >= sizeof member->epoch) return 0;
  memcpy(member->epoch, epoch + 1, length);
  member->epoch[length] = 0;
  member->phase = WAITING;
  return 1;
}

static int given_token(Member* member, const char* text, size_t bytes) {
  const char* token = value_of("token", text, bytes);
  if (!token) return 0;
  free(member->token);
  member->token = strndup(token + 1, strcspn(token + 1, "\""));
  if (member->phase != WAITING && member->phase != FOLLOWING) return 1;
  // The one that closes the resumption comes after the word on each topic.
  if (member->phase == FOLLOWING && !member->follows) return counts.early++, 1;
  if (member->phase == FOLLOWING) record(&resumed, now() - gone_at);
  member->phase = IN;
  member->isIn = 1;
  member->next = now();
  inside++;
  // What the server did not answer before it went is said again, under the same key.
  return member->saying ? say_number(member) : 1;
}

static int published_to(Member* member, const char* text, size_t bytes) {
  const char *offset = value_of("offset", text, bytes), *number = value_of("text", text, bytes);
  if (!offset || !number) return 1;  // who is there, not what was said
  uint64_t at = strtoull(offset, NULL, 10);
  if (at <= member->offset) return counts.duplicates++, 1;
  counts.lost += at - member->offset - 1;
  if (strtoull(number + 1, NULL, 10) != at) counts.lost++;
  member->offset = at;
  return 1;
}

static int answered(Member* member, const char* text, size_t bytes) {
  const char* offset = value_of("offset", text, bytes);
  if (!offset || !member->saying) return 0;
  if (strtoull(offset, NULL, 10) != member->saying) counts.lost++;
  member->said = member->saying;
  member->saying = 0;
  return 1;
}

static int failed(Member* member, const char* text, size_t bytes) {
  const char* code = value_of("code", text, bytes);
  if (code && atoi(code) == 11) counts.disbelieved++;
  if (!counts.failures++) fprintf(stderr, "member %d: %.*s\n", number_of(member), (int)bytes, text);
  return 1;
}

static int on_frame(Wire* wire, int opcode, const uint8_t* payload, size_t bytes) {
  Member* member = (Member*)wire;
  const char* text = (const char*)payload;
  static const char begin[] = "{\"type\":\"";
  if (opcode != 1 || bytes < sizeof begin || memcmp(text, begin, sizeof begin - 1)) return 0;
  const char* type = text + sizeof begin - 1;
#define IS(name) (!strncmp(type, name "\"", sizeof name))
  if (IS("publication")) return published_to(member, text, bytes);
  if (IS("published")) return answered(member, text, bytes);
  if (IS("welcome")) return welcomed(member, text, bytes);
  if (IS("reply")) return greeted(member);
  if (IS("subscribed")) return subscribed(member, text, bytes);
  if (IS("token")) return given_token(member, text, bytes);
  if (IS("failure")) return failed(member, text, bytes);
  return 1;
}

static int on_head(Wire* wire, const char* head) {
  Member* member = (Member*)wire;
  under_way--;
  member->phase = member->isIn ? RESUMING : HELLO;
  if (strncmp(head, "HTTP/1.1 101", 12)) {
    counts.refused++;
    const char* after = strcasestr(head, "\r\nretry-after:");
    uint64_t wait = after ? strtoull(after + 14, NULL, 10) * 1000 : 200;
    // As the protocol asks: a time that the server did not jitter itself gets a random part.
    member->next = now() + (wait + rand() % 200) * 1000000ull;
    return 0;
  }
  if (!member->isIn) return 1;
  record(&upgraded, now() - gone_at);
  return resume(member);
}

// ---- coming and going
static void begin(Member* member) {
  int index = member - members;
  member->wire = (Wire){.fd = dial(index)};
  if (member->wire.fd < 0) {
    counts.unreached++;
    member->next = now() + (50 + rand() % 100) * 1000000ull;
    return;
  }
  member->phase = DIALLING;
  under_way++;
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, member->wire.fd, &event)) die("epoll_ctl");
}

static void end(Member* member) {
  Phase phase = member->phase;
  if (phase == IN) inside--;
  if (phase == DIALLING || phase == ASKING) {
    under_way--;
    counts.unreached++;
    member->next = now() + (50 + rand() % 100) * 1000000ull;
  } else if (phase != AWAY && hasGone) {
    if (member->next < now()) member->next = now() + (50 + rand() % 100) * 1000000ull;
    if (phase == IN || phase == FOLLOWING) counts.cut++;
  }
  wire_close(&member->wire);
  member->phase = AWAY;
}

static int ask(Member* member) {
  static char protocols[8192];
  member->phase = ASKING;
  snprintf(protocols, sizeof protocols, "longwire.v1.json%s%s", member->token ? ", longwire.resume." : "",
           member->token ? member->token : "");
  return wire_ask(&member->wire, "/ws", protocols);
}

static void serve(uint32_t index, uint32_t events) {
  Member* member = &members[index];
  if (member->wire.fd < 0) return;
  int isWell = 1;
  if (events & EPOLLOUT && member->phase == DIALLING) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(epoll, EPOLL_CTL_MOD, member->wire.fd, &event);
    isWell = !(events & (EPOLLERR | EPOLLHUP)) && ask(member);
  } else if (events & ~EPOLLOUT) {
    isWell = wire_read(&member->wire);
  }
  if (!isWell) end(member);
}

// Every few milliseconds: who is to try again, who is to speak.
static void tick(void) {
  uint64_t at = now();
  while (dialled < count && under_way < at_once) begin(&members[dialled++]);
  for (int i = 0; i < dialled; i++) {
    Member* member = &members[i];
    if (member->phase == AWAY && (hasGone || !member->isIn) && at >= member->next) begin(member);
    if (member->phase == IN && isTalking && isSpeaker(member) && !member->saying && at >= member->next)
      if (!say_number(member)) end(member);
  }
}

static void stand(void) {
  uint64_t said = 0, lowest = UINT64_MAX;
  for (int i = 0; i < count; i++) {
    said += members[i].said;
    if (members[i].offset < lowest) lowest = members[i].offset;
  }
  printf("inside=%d said=%llu lowest=%llu lost=%llu duplicates=%llu early=%llu unrecovered=%llu disbelieved=%llu failures=%llu "
         "refused=%llu unreached=%llu cut=%llu",
         inside, (unsigned long long)said, (unsigned long long)lowest, (unsigned long long)counts.lost,
         (unsigned long long)counts.duplicates, (unsigned long long)counts.early,
         (unsigned long long)counts.unrecovered,
         (unsigned long long)counts.disbelieved, (unsigned long long)counts.failures,
         (unsigned long long)counts.refused, (unsigned long long)counts.unreached, (unsigned long long)counts.cut);
  // How far each room is known to the member here that knows least of it, and what was answered for: -1 for no
  // speaker here.
  printf(" rooms=");
  for (int room = 0; room < rooms; room++) {
    uint64_t known = UINT64_MAX;
    long long answered_for = -1;
    for (int i = 0; i < count; i++) {
      if (room_of(&members[i]) != room) continue;
      if (members[i].offset < known) known = members[i].offset;
      if (isSpeaker(&members[i])) answered_for = members[i].said;
    }
    if (known == UINT64_MAX) continue;
    printf("%d:%llu:%lld,", room, (unsigned long long)known, answered_for);
  }
  printf("\n");
  fflush(stdout);
}

static void obey(const char* line) {
  if (!strcmp(line, "talk")) isTalking = 1;
  if (!strcmp(line, "hush")) isTalking = 0;
  if (!strcmp(line, "stand")) stand();
  if (!strcmp(line, "go")) {
    hasGone = 1;
    gone_at = now();
    for (int i = 0; i < count; i++) members[i].next = 0;
    for (int i = 0; i < count; i++)
      if (members[i].phase == AWAY) begin(&members[i]);
  }
}

int main(int argc, char** argv) {
  inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* value = argv[i + 1];
    switch (argv[i][1]) {
      case 'p': server.sin_port = htons(atoi(value)); break;
      case 'c': count = atoi(value); break;
      case 'f': first_number = atoi(value); break;
      case 'R': rooms = atoi(value); break;
      case 'i': interval_ms = atoi(value); break;
      case 'j': at_once = atoi(value); break;
      case 'S': sources = atoi(value); break;
      default: fprintf(stderr, "unknown option %s\n", argv[i]); return 64;
    }
  }
  if (count < 1 || rooms < 1 || interval_ms < 1) return fprintf(stderr, "out of bounds\n"), 64;
  use_all_files();
  srand(first_number + 1);
  fcntl(0, F_SETFL, O_NONBLOCK);
  members = calloc(count, sizeof *members);
  for (int i = 0; i < count; i++) members[i].wire.fd = -1;
  epoll = epoll_create1(0);
  struct epoll_event input_event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input_event)) die("standard input");
  struct epoll_event events[1024];
  uint64_t ticked = 0;
  for (;;) {
    int found = epoll_wait(epoll, events, 1024, 5);
    for (int i = 0; i < found; i++) {
      if (events[i].data.u32 != UINT32_MAX) {
        serve(events[i].data.u32, events[i].events);
      } else {
        const char* line = command();
        if (line) obey(line);
      }
    }
    uint64_t at = now();
    if (at - ticked > 5000000) {
      tick();
      ticked = at;
    }
    if (!isReady && inside == count) {
      isReady = 1;
      printf("READY\n");
      fflush(stdout);
    }
    if (hasGone && !isBack && inside == count) {
      isBack = 1;
      printf("BACK");
      print_latencies("upgraded", &upgraded);
      print_latencies("resumed", &resumed);
      printf(" max=%llu\n", (unsigned long long)resumed.max);
      fflush(stdout);
    }
  }
}
