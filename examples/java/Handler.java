// A Java function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It needs no dependency. It prints and returns only the secret's keys. Your function must not log a value either.
import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;

public class Handler {
    private static final String PORT = env("CROSS_ACCOUNT_SECRETS_HTTP_PORT", "2773");
    // Under SnapStart, only the last one is set.
    private static final String TOKEN = env("CROSS_ACCOUNT_SECRETS_TOKEN",
            env("AWS_SESSION_TOKEN", env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")));
    // Uses no proxy, even if http.proxyHost is set, and does not offer HTTP/2, which has no use on 127.0.0.1.
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(HttpClient.Builder.NO_PROXY).build();
    // Java has no JSON parser; your function can use a library. A key is a string before a colon, here at any depth. The
    // pattern matches each string as a whole, so that it returns no part of a value.
    private static final Pattern STRING = Pattern.compile("\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"(\\s*:)?");
    // Never throws: an error here would cost a cold start, and only the handler can report it.
    private static final Object INIT = getKeys();

    /** Returns the bare value of a JSON secret, by name or ARN, as stored. Returns an empty text if it is not JSON. */
    private static String getSecret(String secretId) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + PORT + "/secrets/" + URLEncoder.encode(secretId, UTF_8));
        HttpRequest request = HttpRequest.newBuilder(uri)
                .header("X-Aws-Parameters-Secrets-Token", TOKEN)
                .timeout(Duration.ofSeconds(5))
                .build();
        var response = CLIENT.send(request, BodyHandlers.ofString());
        if (response.statusCode() != 200) { // {"__type","message","remedy"}
            throw new IllegalStateException(response.statusCode() + " " + response.body());
        }
        // The extension has checked whether the value is JSON.
        boolean isJson = response.headers().firstValue("Content-Type").orElse("").startsWith("application/json");
        return isJson ? response.body() : "";
    }

    private static Object getKeys() {
        try {
            String secret = getSecret(env("SECRET_NAME", ""));
            if (!secret.stripLeading().startsWith("{")) return Map.of("error", "the secret is not a JSON object");
            return STRING.matcher(secret).results().filter(s -> s.group(2) != null).map(s -> s.group(1)).toList();
        } catch (Exception error) {
            return Map.of("error", String.valueOf(error.getMessage()));
        }
    }

    public Map<String, Object> handle(Map<String, Object> event) {
        Map<String, Object> result = Map.of("init", INIT, "handler", getKeys());
        System.out.println(result);
        return result;
    }

    private static String env(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}
