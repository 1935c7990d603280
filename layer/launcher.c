/*
 * The program that Lambda starts as the extension. It binds the local port, registers, and then becomes Node.js by execve,
 * which inherits the listening socket and the registration. Lambda does not start the function's runtime until the extension
 * has registered, and Node alone would need some 40 ms for that. The kernel queues early connections until Node accepts them.
 *
 * It implements only the usual path. If anything is unusual, it skips the step, and Node does it, with good error messages:
 * extension/lambda/handover.ts is the other side. It opens no file, allocates no memory, and waits for nothing except
 * Lambda's answer.
 *
 *   argv[0] = <opt>/extensions/cross-account-secrets       the other files are in <opt>/cross-account-secrets/
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_PORT 2773
#define BACKLOG 511           /* the same as Node's */
#define FIRST_DESCRIPTOR 3    /* https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
#define HEAD_SIZE 4096        /* of Lambda's answer; a real one has some 200 bytes */
#define IDENTIFIER_SIZE 65    /* Lambda's is a UUID of 36 characters */

/* The flags of the layer's own Node, whose version knows them. SIGUSR1 would open the inspector. The semi-space size, in MB, is
 * enough for the start; without a limit it would grow to eight times as much. A fixed size does not make the start slower. */
#define CARRIED_FLAGS "--no-warnings", "--disable-sigusr1", "--min-semi-space-size=4", "--max-semi-space-size=4"

extern char **environ;

/* Returns the variable's value, or NULL if it is unset or empty. */
static const char *variable(const char *name) {
  size_t length = strlen(name);
  for (char **entry = environ; *entry; entry++)
    if (!strncmp(*entry, name, length) && (*entry)[length] == '=') return (*entry)[length + 1] ? *entry + length + 1 : NULL;
  return NULL;
}

/* Returns 1 to 65535, or 0 if the text is not a port. */
static unsigned parse_port(const char *text) {
  unsigned port = 0;
  if (!*text || strlen(text) > 5) return 0;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return 0;
    port = port * 10 + (unsigned)(*text - '0');
  }
  return port <= 65535 ? port : 0;
}

/* Listens on 127.0.0.1, as descriptor 3. If it returns false, Node must try, and report the error. */
static bool listen_locally(void) {
  const char *text = variable("CROSS_ACCOUNT_SECRETS_HTTP_PORT");
  if (!text) text = variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT");
  unsigned port = text ? parse_port(text) : DEFAULT_PORT;
  if (!port) return false;

  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
  };
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) return false;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  bool listens = !bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, BACKLOG)
    && (listener == FIRST_DESCRIPTOR || dup2(listener, FIRST_DESCRIPTOR) == FIRST_DESCRIPTOR);
  if (!listens || listener != FIRST_DESCRIPTOR) close(listener);
  return listens;
}

/* Sends a request to the Extensions API and reads the head of the answer. Returns its length, or 0 unless it is complete. */
static size_t call_lambda(const char *request, size_t length, char head[HEAD_SIZE + 1]) {
  const char *api = variable("AWS_LAMBDA_RUNTIME_API"), *colon = api ? strchr(api, ':') : NULL;
  char host[INET_ADDRSTRLEN] = {0};
  struct sockaddr_in address = { .sin_family = AF_INET };
  if (!colon || (size_t)(colon - api) >= sizeof host) return 0;
  memcpy(host, api, (size_t)(colon - api));
  address.sin_port = htons((unsigned short)parse_port(colon + 1));
  if (!address.sin_port || inet_pton(AF_INET, host, &address.sin_addr) != 1) return 0;

  int lambda = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (lambda < 0) return 0;
  size_t got = 0;
  if (!connect(lambda, (struct sockaddr *)&address, sizeof address)
      && send(lambda, request, length, MSG_NOSIGNAL) == (ssize_t)length)
    while (got < HEAD_SIZE) {
      ssize_t more = read(lambda, head + got, HEAD_SIZE - got);
      if (more < 0 && errno == EINTR) continue;
      if (more <= 0) { got = 0; break; }
      got += (size_t)more;
      head[got] = 0;
      char *end = strstr(head, "\r\n\r\n");
      if (end) { end[2] = 0; break; }
      if (got == HEAD_SIZE) got = 0;
      if (!got) break;
    }
  close(lambda);
  return got;
}

/* Joins the texts, up to a NULL, into `to`. Returns false if they do not fit. */
static bool join(char *to, size_t size, const char *const texts[]) {
  size_t used = 0;
  for (; *texts; texts++) {
    size_t length = strlen(*texts);
    if (length >= size - used) return false;
    memcpy(to + used, *texts, length + 1);
    used += length;
  }
  return true;
}

/* Registers only for SHUTDOWN. If it returns false, the identifier is empty, and Node must try, and report the error. */
static bool register_extension(char identifier[IDENTIFIER_SIZE]) {
  static const char name[] = "Lambda-Extension-Identifier:";
  char request[512], head[HEAD_SIZE + 1];
  const char *api = variable("AWS_LAMBDA_RUNTIME_API");
  const char *const texts[] = {
    "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: ", api ? api : "", "\r\n"
    "Lambda-Extension-Name: cross-account-secrets\r\nContent-Type: application/json\r\nContent-Length: 23\r\n"
    "Connection: close\r\n\r\n{\"events\":[\"SHUTDOWN\"]}", NULL
  };
  if (!join(request, sizeof request, texts) || !call_lambda(request, strlen(request), head)) return false;
  if (strncmp(head, "HTTP/1.1 200 ", 13) && strncmp(head, "HTTP/1.0 200 ", 13)) return false;
  for (char *line = head; (line = strstr(line, "\r\n")); ) {
    line += 2;
    if (strncasecmp(line, name, sizeof name - 1)) continue;
    line += sizeof name - 1;
    line += strspn(line, " \t");
    size_t length = strspn(line, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    if (!length || length >= IDENTIFIER_SIZE || line[length + strspn(line + length, " \t")] != '\r') return false;
    memcpy(identifier, line, length);
    identifier[length] = 0;
    return true;
  }
  return false;
}

/* The variables that the extension reads. No other one is passed on: the function may have settings for Node, the C library,
 * OpenSSL or the SDK, which could change or break the extension. PATH is for a Node on it that is a script. */
static bool is_passed_on(const char *entry) {
  static const char *const starts[] = {
    "CROSS_ACCOUNT_SECRETS_", "ROLE_ARN=", "SECRET_NAME=", "PATH=", "TMPDIR=", "NODE_EXTRA_CA_CERTS=", "AWS_CA_BUNDLE=",
    "PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED=", "PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE=",
    "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT=", "PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL=", "SECRETS_MANAGER_TIMEOUT_MILLIS=",
    "SECRETS_MANAGER_TTL=", "SSM_PARAMETER_STORE_TIMEOUT_MILLIS=", "SSM_PARAMETER_STORE_TTL=",
    "AWS_LAMBDA_FUNCTION_NAME=", "AWS_LAMBDA_INITIALIZATION_TYPE=", "AWS_LAMBDA_RUNTIME_API=", "AWS_REGION=",
    "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=", "AWS_TOKEN=",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN=", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=",
    "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_SECRETS_MANAGER=", "AWS_ENDPOINT_URL_SSM=", "AWS_ENDPOINT_URL_STS=",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=", "AWS_USE_DUALSTACK_ENDPOINT=", "AWS_USE_FIPS_ENDPOINT=", NULL
  };
  for (const char *const *start = starts; *start; start++)
    if (!strncmp(entry, *start, strlen(*start))) return true;
  return false;
}

/* Starts the first Node that exists: the layer's own, with the layer's loader and C library or with the image's; the
 * runtime's; the one on PATH. Returns only if there is none. */
static void become_node(const char *self, char *const environment[]) {
  const char *slash = strrchr(self, '/');
  char here[PATH_MAX], loader[PATH_MAX], libraries[PATH_MAX], node[PATH_MAX], program[PATH_MAX], folder[PATH_MAX];
  size_t length = slash ? (size_t)(slash - self) : 0;
  if (!slash || length >= sizeof here) return;
  memcpy(here, self, length);
  here[length] = 0;
  const char *const to_loader[] = { here, "/../cross-account-secrets/lib/ld.so", NULL };
  const char *const to_libraries[] = { here, "/../cross-account-secrets/lib", NULL };
  const char *const to_node[] = { here, "/../cross-account-secrets/bin/node", NULL };
  const char *const to_program[] = { here, "/../cross-account-secrets/main.cjs", NULL };
  if (!join(loader, sizeof loader, to_loader) || !join(libraries, sizeof libraries, to_libraries)
      || !join(node, sizeof node, to_node) || !join(program, sizeof program, to_program)) return;

  char *const with_loader[] = { loader, "--library-path", libraries, node, CARRIED_FLAGS, program, NULL };
  char *const carried[] = { node, CARRIED_FLAGS, program, NULL };
  char *const alone[] = { node, "--no-warnings", program, NULL };
  execve(loader, with_loader, environment);
  execve(node, carried, environment);
  execve("/var/lang/bin/node", alone, environment);
  for (const char *path = variable("PATH"), *next; path; path = *next ? next + 1 : NULL) {
    next = path + strcspn(path, ":");
    if ((size_t)(next - path) >= sizeof folder) continue;
    memcpy(folder, path, (size_t)(next - path));
    folder[next - path] = 0;
    const char *const to_other[] = { folder, "/node", NULL };
    if (*folder == '/' && join(node, sizeof node, to_other)) execve(node, alone, environment);
  }
}

/* Lambda does not show the text of init/error, so this also writes to standard error. */
static void report_no_node(const char *identifier) {
  static const char message[] =
    "cross-account-secrets: there is no Node.js here that can be started: attach the layer that carries its own\n";
  char request[1024], head[HEAD_SIZE + 1];
  const char *api = variable("AWS_LAMBDA_RUNTIME_API");
  const char *const texts[] = {
    "POST /2020-01-01/extension/init/error HTTP/1.1\r\nHost: ", api ? api : "",
    "\r\nLambda-Extension-Identifier: ", identifier,
    "\r\nLambda-Extension-Function-Error-Type: Extension.NoNode\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", NULL
  };
  /* Without a reader, the write would end this program by SIGPIPE, and Lambda would get no report. */
  struct pollfd log = { .fd = STDERR_FILENO, .events = POLLOUT };
  if (poll(&log, 1, 1000) == 1 && log.revents == POLLOUT && write(STDERR_FILENO, message, sizeof message - 1) < 0) errno = 0;
  if (*identifier && join(request, sizeof request, texts)) call_lambda(request, strlen(request), head);
}

int main(int count, char *arguments[]) {
  /* A core dump would hold the secrets. */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  char identifier[IDENTIFIER_SIZE] = "", listen_pid[32] = "LISTEN_PID=", set_identifier[IDENTIFIER_SIZE + 32];
  /* Without a listener it must not register: Lambda would start the runtime, and its static code would get no answer. */
  bool listens = listen_locally();
  if (listens) register_extension(identifier);

  size_t entries = 0;
  while (environ[entries]) entries++;
  char *environment[entries + 5], **end = environment;
  for (char **entry = environ; *entry; entry++)
    if (is_passed_on(*entry)) *end++ = *entry;
  /* The SDK needs a home folder and reads ~/.aws in it. The function can write to /tmp, but not to a missing folder. */
  *end++ = "HOME=/nonexistent";
  unsigned long pid = (unsigned long)getpid();
  char digits[24], *digit = digits + sizeof digits - 1;
  for (*digit = 0; pid; pid /= 10) *--digit = (char)('0' + pid % 10);
  strcat(listen_pid, digit);
  *end++ = listen_pid;
  if (listens) *end++ = "LISTEN_FDS=1";
  const char *const texts[] = { "LAMBDA_EXTENSION_IDENTIFIER=", identifier, NULL };
  if (*identifier && join(set_identifier, sizeof set_identifier, texts)) *end++ = set_identifier;
  *end = NULL;

  become_node(count ? arguments[0] : "", environment);
  report_no_node(identifier);
  return 1;
}
