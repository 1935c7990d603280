/*
 * Lambda starts this program in place of the runtime if AWS_LAMBDA_EXEC_WRAPPER=/opt/cross-account-secrets/exec-wrapper. It
 * replaces each environment variable that refers to a secret with the secret, and then becomes the runtime by execve:
 *
 *   DB=cross-account-secret:my-shared-secret                        the whole secret, as stored
 *   DB_PASSWORD=cross-account-secret:my-shared-secret#password      one field of it
 *   DB_PASSWORD=cross-account-secret:my-shared-secret#/db/password  one field, by a JSON Pointer (RFC 6901)
 *
 * The secret's name or ARN comes before the #; neither can contain a #. The program asks the extension for the secret as any
 * other caller does, with the port and the token of its settings. Without a reference it opens no socket and no file.
 *
 *   - It sends all requests at once. The limit for all of them together is 9 s.
 *   - For each reference that cannot be resolved it writes one line to standard error, with the variable and the cause, and
 *     never with a secret or the token. Then it starts nothing, and the exit code is 1. But if
 *     CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR=unset, it starts the runtime without that variable.
 *   - If CROSS_ACCOUNT_SECRETS_ENABLED=false, the variables stay as they are, and one line says so.
 *   - Under SnapStart a reference is always an error: the environment, with the secret, would be part of the snapshot.
 *   - It looks for a command without a slash on PATH. If the command cannot be started, the exit code is 127 if it does not
 *     exist, else 126, as with env(1).
 *
 *   argv = <opt>/cross-account-secrets/exec-wrapper <command> <argument>…
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REFERENCE "cross-account-secret:"
#define DEFAULT_PORT 2773
#define TIMEOUT_MS 9000      /* Lambda gives init 10 s; the extension answers after its TIMEOUT_MS, 2.5 s by default */
#define KNOCK_FOR_MS 2000    /* if the launcher could not bind the port, Node binds it after the start of the runtime */
#define KNOCK_EVERY_MS 20
#define REQUEST_SIZE 16384   /* the limit of Node's parser: https://nodejs.org/api/http.html#httpmaxheadersize */
#define HEAD_SIZE 8192       /* of an answer; a real head has some 300 bytes */
#define ENTRY_SIZE 131072    /* the kernel's limit of one variable: MAX_ARG_STRLEN */
#define ENTRIES_SIZE 1048576 /* of all resolved variables; the kernel's limit is 2 MB of arguments and environment */
#define LINE_SIZE 4096

#define TOO_LONG "it is longer than the 128 KiB that one variable can hold"

extern char **environ;

/* Text of known length: bytes from a socket or a file do not end with a NUL. */
struct span {
  const char *start;
  size_t length;
};

/* Text under construction. If a text does not fit, its rest is left out, and `overflows` is set. */
struct buffer {
  char *start;
  size_t size, used;
  bool overflows;
};

static struct span span_of(const char *text) {
  return (struct span){ text, strlen(text) };
}

static bool equals(struct span span, const char *text) {
  return span.length == strlen(text) && !strncasecmp(span.start, text, span.length);
}

static void add(struct buffer *to, struct span span) {
  size_t left = to->size - to->used, length = span.length < left ? span.length : left;
  if (length) memcpy(to->start + to->used, span.start, length);
  to->used += length;
  if (length < span.length) to->overflows = true;
}

static void add_text(struct buffer *to, const char *text) {
  add(to, span_of(text));
}

static void add_number(struct buffer *to, unsigned number) {
  char digits[16], *digit = digits + sizeof digits;
  do *--digit = (char)('0' + number % 10); while (number /= 10);
  add(to, (struct span){ digit, (size_t)(digits + sizeof digits - digit) });
}

/* Writes one line with one write, so that no line of another process gets into it. Its text cannot start another line. */
static void say(struct span subject, const char *predicate, struct span cause) {
  char bytes[LINE_SIZE];
  struct buffer line = { .start = bytes, .size = sizeof bytes - 1 };
  add_text(&line, "cross-account-secrets: ");
  add(&line, subject);
  add_text(&line, predicate);
  add(&line, cause);
  for (size_t i = 0; i < line.used; i++)
    if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f) bytes[i] = ' ';
  bytes[line.used] = '\n';
  /* Without a reader, the write would end this program by SIGPIPE, and the runtime would not start. */
  struct pollfd log = { .fd = STDERR_FILENO, .events = POLLOUT };
  if (poll(&log, 1, 1000) != 1 || log.revents != POLLOUT) return;
  if (write(STDERR_FILENO, bytes, line.used + 1) < 0) return; /* there is no other place to report this */
}

/* ---- Settings: as in extension/config/settings.ts and extension/config/config.ts ---- */

/* Removes the white space around the text, and the byte order mark that some editors write. */
static struct span trim(struct span span) {
  static const char space[] = " \t\n\v\f\r", mark[] = "\xef\xbb\xbf";
  if (span.length >= 3 && !memcmp(span.start, mark, 3)) { span.start += 3; span.length -= 3; }
  while (span.length && memchr(space, *span.start, sizeof space - 1)) { span.start++; span.length--; }
  while (span.length && memchr(space, span.start[span.length - 1], sizeof space - 1)) span.length--;
  return span;
}

/* Returns the first of the variables that has more than white space, and its name; or an empty text. */
static struct span setting(const char *const names[], const char **name) {
  for (*name = *names; *names; names++) {
    size_t length = strlen(*names);
    for (char **entry = environ; *entry; entry++) {
      if (strncmp(*entry, *names, length) || (*entry)[length] != '=') continue;
      struct span value = trim(span_of(*entry + length + 1));
      if (!value.length) break;
      *name = *names;
      return value;
    }
  }
  return (struct span){ "", 0 };
}

struct settings {
  unsigned port;
  struct span token;
  bool is_snap_start, leaves_unset, are_right;
};

/* Returns 1 to 65535, or 0 after reporting the error. */
static unsigned read_port(void) {
  static const char *const names[] = {
    "CROSS_ACCOUNT_SECRETS_HTTP_PORT", "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", NULL
  };
  const char *name;
  struct span text = setting(names, &name);
  if (!text.length) return DEFAULT_PORT;
  unsigned port = 0;
  bool is_number = text.length <= 9;
  for (size_t i = 0; is_number && i < text.length; i++) {
    is_number = text.start[i] >= '0' && text.start[i] <= '9';
    port = port * 10 + (unsigned)(text.start[i] - '0');
  }
  if (is_number && port && port <= 65535) return port;
  /* The extension also uses its default instead of a mistake under AWS's name, and logs a warning. */
  if (name != names[0]) return DEFAULT_PORT;
  say(span_of(name), " must be ", span_of("a port, 1 to 65535"));
  return 0;
}

static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') return (digit | 0x20) - 'a' + 10;
  return -1;
}

/* Reads the file of a file:///path into `to`. Returns its text, or an empty one. */
static struct span read_token_file(struct span url, struct buffer *to) {
  static const char scheme[] = "file://";
  char path[4097];
  size_t length = 0, i = sizeof scheme - 1;
  if (url.length <= i || strncmp(url.start, scheme, i) || url.start[i] != '/') return (struct span){ "", 0 };
  for (; i < url.length; i++) {
    if (length == sizeof path - 1) return (struct span){ "", 0 };
    char byte = url.start[i];
    if (byte == '%') {
      int high = i + 2 < url.length ? hex_digit(url.start[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(url.start[i + 2]);
      if (low < 0) return (struct span){ "", 0 };
      byte = (char)(high * 16 + low);
      i += 2;
    }
    if (!byte) return (struct span){ "", 0 };
    path[length++] = byte;
  }
  path[length] = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return (struct span){ "", 0 };
  for (ssize_t more; to->used < to->size; to->used += (size_t)more) {
    more = read(file, to->start + to->used, to->size - to->used);
    if (more < 0 && errno == EINTR) { more = 0; continue; }
    if (more < 0) to->used = 0;
    if (more <= 0) break;
  }
  close(file);
  return trim((struct span){ to->start, to->used });
}

/* Returns the extension's token, or an empty text after reporting the error. The report never quotes the token. */
static struct span read_token(void) {
  static const char *const names[] = {
    "CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", NULL
  };
  static char bytes[REQUEST_SIZE];
  const char *name, *rule = "a token in printable ASCII, without spaces, or file:///path of one";
  struct span token = setting(names, &name);
  if (token.length >= 5 && !memcmp(token.start, "file:", 5)) {
    struct buffer file = { .start = bytes, .size = sizeof bytes };
    token = read_token_file(token, &file);
    rule = "file:///path of a readable file with one token in it";
  }
  bool is_token = token.length > 0;
  for (size_t i = 0; i < token.length; i++) is_token = is_token && token.start[i] > ' ' && token.start[i] < 0x7f;
  if (is_token) return token;
  say(span_of(name), " must be ", span_of(rule));
  return (struct span){ "", 0 };
}

static struct settings read_settings(void) {
  static const char *const error_names[] = { "CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR", NULL };
  static const char *const type_names[] = { "AWS_LAMBDA_INITIALIZATION_TYPE", NULL };
  const char *name;
  struct settings settings = { .port = read_port(), .token = read_token() };
  settings.is_snap_start = equals(setting(type_names, &name), "snap-start");
  struct span on_error = setting(error_names, &name);
  settings.leaves_unset = equals(on_error, "unset");
  settings.are_right = settings.port && settings.token.length;
  if (settings.leaves_unset || !on_error.length || equals(on_error, "fail")) return settings;
  say(span_of(name), " must be ", span_of("fail or unset"));
  settings.are_right = false;
  return settings;
}

/* ---- The request ---- */

/* Returns the text after REFERENCE, or NULL if the entry of the environment is no reference. */
static const char *find_reference(const char *entry) {
  const char *value = strchr(entry, '=');
  return value && !strncmp(value + 1, REFERENCE, sizeof REFERENCE - 1) ? value + sizeof REFERENCE : NULL;
}

static void add_encoded(struct buffer *to, struct span span) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  static const char hex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < span.length; i++) {
    unsigned char byte = (unsigned char)span.start[i];
    if (memchr(plain, byte, sizeof plain - 1)) add(to, (struct span){ span.start + i, 1 });
    else add(to, (struct span){ (char[]){ '%', hex[byte >> 4], hex[byte & 15] }, 3 });
  }
}

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Connects to the extension. Tries again for a while if the connection is refused. Returns -1 if it fails. */
static int knock(unsigned port, long long start_ms) {
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
  };
  for (;;) {
    /* The timeout of connect, if the listener's queue is full, and of send. */
    long long left_ms = start_ms + TIMEOUT_MS - now_ms();
    if (left_ms < 1) left_ms = 1;
    struct timeval limit = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
    int extension = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (extension < 0) return -1;
    setsockopt(extension, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!connect(extension, (struct sockaddr *)&address, sizeof address)) return extension;
    int error = errno;
    close(extension);
    errno = error;
    if (error != ECONNREFUSED || now_ms() >= start_ms + KNOCK_FOR_MS) return -1;
    nanosleep(&(struct timespec){ .tv_nsec = KNOCK_EVERY_MS * 1000000 }, NULL);
  }
}

/* Sends the request for a reference. Returns NULL and the connection for the answer, or the reason of the failure. */
static const char *ask(const char *reference, const struct settings *settings, long long start_ms, int *extension) {
  static char bytes[REQUEST_SIZE];
  struct buffer request = { .start = bytes, .size = sizeof bytes };
  struct span id = { reference, strcspn(reference, "#") };
  const char *key = reference[id.length] ? reference + id.length + 1 : NULL;
  if (!id.length) return "it names no secret; write " REFERENCE "<name or ARN>, or " REFERENCE "<name or ARN>#<field>";
  if (key && !*key) return "it names no field; write one after the #, or leave the # out for the whole secret";
  if (settings->is_snap_start) return "SnapStart would keep it in the snapshot; let the function ask the extension itself";
  if (!settings->are_right) return "the extension cannot be asked with these settings";
  add_text(&request, "GET /secrets/");
  add_encoded(&request, id);
  if (key) add_text(&request, "?key=");
  if (key) add_encoded(&request, span_of(key));
  add_text(&request, " HTTP/1.1\r\nHost: 127.0.0.1:");
  add_number(&request, settings->port);
  add_text(&request, "\r\nX-Aws-Parameters-Secrets-Token: ");
  add(&request, settings->token);
  add_text(&request, "\r\nConnection: close\r\n\r\n");
  if (request.overflows) return "its name, or the token, is too long";

  *extension = knock(settings->port, start_ms);
  if (*extension >= 0 && send(*extension, bytes, request.used, MSG_NOSIGNAL) == (ssize_t)request.used) return NULL;
  bool is_refused = *extension < 0 && errno == ECONNREFUSED;
  if (*extension >= 0) close(*extension);
  *extension = -1;
  return is_refused ? "nothing listens on the extension's port; is the layer attached, and HTTP_PORT the same for all?"
                    : "the extension cannot be reached";
}

/* ---- The answer ---- */

struct answer {
  struct span status; /* three digits */
  struct span body;
};

/* Reads the status and the length of the body, SIZE_MAX if there is none. Returns false if this is not HTTP we can read. */
static bool parse_head(struct span head, struct span *status, size_t *body_length) {
  static const char length_name[] = "Content-Length:", encoding_name[] = "Transfer-Encoding:";
  *body_length = SIZE_MAX;
  if (head.length < 14 || (memcmp(head.start, "HTTP/1.1 ", 9) && memcmp(head.start, "HTTP/1.0 ", 9))) return false;
  *status = (struct span){ head.start + 9, 3 };
  for (size_t i = 0; i < 3; i++)
    if (status->start[i] < '0' || status->start[i] > '9') return false;
  if (head.start[12] != ' ' && head.start[12] != '\r') return false;

  const char *end = head.start + head.length;
  for (const char *line = head.start; (line = memmem(line, (size_t)(end - line), "\r\n", 2)); ) {
    line += 2;
    size_t left = (size_t)(end - line);
    if (left >= sizeof encoding_name - 1 && !strncasecmp(line, encoding_name, sizeof encoding_name - 1)) return false;
    if (left < sizeof length_name - 1 || strncasecmp(line, length_name, sizeof length_name - 1)) continue;
    const char *line_end = memmem(line, left, "\r\n", 2);
    struct span digits = { line + sizeof length_name - 1, 0 };
    digits.length = (size_t)(line_end - digits.start);
    digits = trim(digits);
    if (!digits.length || digits.length > 9 || *body_length != SIZE_MAX) return false;
    *body_length = 0;
    for (size_t i = 0; i < digits.length; i++) {
      if (digits.start[i] < '0' || digits.start[i] > '9') return false;
      *body_length = *body_length * 10 + (size_t)(digits.start[i] - '0');
    }
  }
  return true;
}

/* Reads a whole answer. Returns NULL, or the reason of the failure. */
static const char *receive(int extension, long long deadline_ms, struct answer *answer) {
  static const char foreign[] = "the answer is not one of the extension's; what listens on its HTTP_PORT?";
  static char bytes[HEAD_SIZE + ENTRY_SIZE];
  size_t got = 0, body_at = 0, body_length = SIZE_MAX;
  for (;;) {
    struct pollfd waiting = { .fd = extension, .events = POLLIN };
    long long left_ms = deadline_ms - now_ms();
    int ready = poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return "the extension does not answer within 9 s";
    ssize_t more = read(extension, bytes + got, sizeof bytes - got);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return "the extension dropped the connection";
    got += (size_t)more;
    if (!body_at) {
      const char *head_end = memmem(bytes, got, "\r\n\r\n", 4);
      if (head_end) {
        body_at = (size_t)(head_end - bytes) + 4;
        if (!parse_head((struct span){ bytes, body_at - 2 }, &answer->status, &body_length)) return foreign;
      } else if (!more || got >= HEAD_SIZE) {
        return got && more ? foreign : "the extension's answer was cut off";
      }
    }
    bool is_whole = body_at && (body_length == SIZE_MAX ? !more : got - body_at >= body_length);
    if (is_whole) {
      answer->body = (struct span){ bytes + body_at, body_length == SIZE_MAX ? got - body_at : body_length };
      return NULL;
    }
    if (!more) return "the extension's answer was cut off";
    if (got == sizeof bytes) return TOO_LONG;
  }
}

/* Returns the length of the string at the start of the text, with its quotes. Adds it, unescaped, unless `to` is NULL. */
static size_t read_json_string(struct span json, struct buffer *to) {
  size_t i = 1;
  for (; i < json.length && json.start[i] != '"'; i++) {
    struct span byte = { json.start + i, 1 };
    if (json.start[i] == '\\' && i + 1 < json.length) {
      byte.start = json.start + ++i;
      if (*byte.start == 'u') { /* in the extension's messages: a control character or half of a pair */
        byte.start = "?";
        for (size_t digits = 4; digits && i + 1 < json.length && hex_digit(json.start[i + 1]) >= 0; digits--) i++;
      } else if (memchr("bfnrt", *byte.start, 5)) {
        byte.start = " ";
      }
    }
    if (to) add(to, byte);
  }
  return i < json.length ? i + 1 : i;
}

/* Adds `before` and a field of the JSON object. Adds nothing if the field is missing or not a string. */
static void add_field(struct buffer *to, const char *before, struct span json, const char *name) {
  size_t depth = 0;
  for (size_t i = 0; i < json.length; ) {
    char byte = json.start[i];
    if (byte != '"') {
      if (byte == '{' || byte == '[') depth++;
      if ((byte == '}' || byte == ']') && depth) depth--;
      i++;
      continue;
    }
    size_t length = read_json_string((struct span){ json.start + i, json.length - i }, NULL);
    struct span text = { json.start + i + 1, length > 2 ? length - 2 : 0 };
    i += length;
    if (depth != 1 || text.length != strlen(name) || memcmp(text.start, name, text.length)) continue;
    while (i < json.length && memchr(" \t\r\n", json.start[i], 4)) i++;
    if (i >= json.length || json.start[i] != ':') continue; /* a value, not a field name */
    do i++; while (i < json.length && memchr(" \t\r\n", json.start[i], 4));
    if (i >= json.length || json.start[i] != '"') return;
    add_text(to, before);
    read_json_string((struct span){ json.start + i, json.length - i }, to);
    return;
  }
}

/* Returns the cause in an answer other than 200: the extension's message and remedy. */
static struct span told_cause(const struct answer *answer, struct span token) {
  static char bytes[LINE_SIZE];
  struct buffer cause = { .start = bytes, .size = sizeof bytes };
  add_text(&cause, "status ");
  add(&cause, answer->status);
  size_t length = cause.used;
  add_field(&cause, " ", answer->body, "__type");
  add_field(&cause, ": ", answer->body, "message");
  add_field(&cause, "; remedy: ", answer->body, "remedy");
  /* The extension never sends the token back, nor a longer text. Another program on its port might. */
  bool is_ours = !cause.overflows && !memmem(bytes, cause.used, token.start, token.length);
  return (struct span){ bytes, is_ours ? cause.used : length };
}

/* ---- The environment and the start of the runtime ---- */

/* Returns the entry with the secret in place of the reference, or NULL and the cause. */
static char *resolve(const char *entry, int extension, long long deadline_ms, struct span token, struct span *cause) {
  static char bytes[ENTRIES_SIZE];
  static struct buffer entries = { .start = bytes, .size = sizeof bytes };
  struct answer answer = { .body = { "", 0 } };
  const char *problem = receive(extension, deadline_ms, &answer);
  if (!problem && memcmp(answer.status.start, "200", 3)) {
    *cause = told_cause(&answer, token);
    return NULL;
  }
  struct span name = { entry, strcspn(entry, "=") + 1 };
  size_t length = name.length + answer.body.length + 1;
  if (!problem && memchr(answer.body.start, 0, answer.body.length))
    problem = "it holds a NUL byte, as binary secrets do, and no variable can";
  else if (!problem && length > ENTRY_SIZE)
    problem = TOO_LONG;
  else if (!problem && length > entries.size - entries.used)
    problem = "the secrets are longer, together, than the 1 MiB that there is for them";
  if (problem) {
    *cause = span_of(problem);
    return NULL;
  }
  char *resolved = entries.start + entries.used;
  add(&entries, name);
  add(&entries, answer.body);
  add(&entries, (struct span){ "", 1 });
  return resolved;
}

/* Replaces the `count` references in the environment. If it returns false, the runtime must not be started. */
static bool resolve_all(size_t count) {
  static const char *const enabled_names[] = { "CROSS_ACCOUNT_SECRETS_ENABLED", NULL };
  const char *name;
  if (equals(setting(enabled_names, &name), "false")) {
    say(span_of(name), " is false: ", span_of("the variables that refer to secrets stay as they are"));
    return true;
  }
  struct settings settings = read_settings();
  bool goes_on = settings.leaves_unset && settings.are_right && !settings.is_snap_start;
  long long start_ms = now_ms();
  struct { int extension; const char *problem; } questions[count], *question = questions;
  for (char **entry = environ; *entry; entry++) {
    const char *reference = find_reference(*entry);
    if (!reference) continue;
    question->extension = -1;
    question->problem = ask(reference, &settings, start_ms, &question->extension);
    question++;
  }

  bool is_whole = true;
  char **kept = environ;
  question = questions;
  for (char **entry = environ; *entry; entry++) {
    char *value = *entry;
    if (find_reference(value)) {
      struct span cause = span_of(question->problem ? question->problem : "");
      value = question->problem ? NULL : resolve(*entry, question->extension, start_ms + TIMEOUT_MS, settings.token, &cause);
      if (question->extension >= 0) close(question->extension);
      question++;
      if (!value) {
        is_whole = false;
        say((struct span){ *entry, strcspn(*entry, "=") }, goes_on ? " is left unset: " : " cannot be set: ", cause);
      }
    }
    if (value) *kept++ = value;
  }
  *kept = NULL;
  return is_whole || goes_on;
}

int main(int count, char *arguments[]) {
  if (count < 2) {
    say(span_of("exec-wrapper"), " ", span_of("needs the command to start: exec-wrapper <command> <argument>..."));
    return 126;
  }
  size_t references = 0;
  for (char **entry = environ; *entry; entry++)
    if (find_reference(*entry)) references++;
  if (references && !resolve_all(references)) return 1;
  execvp(arguments[1], arguments + 1);
  int error = errno;
  say(span_of(arguments[1]), " cannot be started: ", span_of(
    error == E2BIG ? "the environment is longer than this system takes"
    : error == ENOENT ? "there is no such file, or not the interpreter that it names"
    : error == EACCES ? "it may not be executed" : "it is nothing that this system can execute"));
  return error == ENOENT ? 127 : 126;
}
