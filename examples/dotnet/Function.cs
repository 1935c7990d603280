// A C# function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It needs no package. It prints and returns only the secret's keys. Your function must not log a value either.
using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Text.Json;
using System.Threading.Tasks;

public class Function
{
    private static readonly string Port = Variable("CROSS_ACCOUNT_SECRETS_HTTP_PORT", "2773");
    // Under SnapStart, only the last one is set.
    private static readonly string Token = Variable("CROSS_ACCOUNT_SECRETS_TOKEN",
        Variable("AWS_SESSION_TOKEN", Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")));
    // No proxy: by default, even this request goes to HTTP_PROXY, with the token.
    private static readonly HttpClient Client = new HttpClient(new HttpClientHandler { UseProxy = false })
    {
        Timeout = TimeSpan.FromSeconds(5),
    };
    // Never throws: an error here would cost a cold start, and only the handler can report it.
    private static readonly object Init = GetKeys().GetAwaiter().GetResult();

    /// <summary>Returns the text of a secret, by name or ARN.</summary>
    private static async Task<string> GetSecret(string secretId)
    {
        var url = $"http://127.0.0.1:{Port}/secretsmanager/get?secretId={Uri.EscapeDataString(secretId)}";
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.TryAddWithoutValidation("X-Aws-Parameters-Secrets-Token", Token);
        using var response = await Client.SendAsync(request);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        if (response.StatusCode == HttpStatusCode.OK) return Field(body, "SecretString");
        var (type, message, remedy) = (Field(body, "__type"), Field(body, "message"), Field(body, "remedy"));
        throw new InvalidOperationException($"{(int)response.StatusCode} {type}: {message} {remedy}".Trim());
    }

    private static string Field(JsonDocument body, string name) =>
        body.RootElement.TryGetProperty(name, out var field) ? field.GetString() : "";

    private static async Task<object> GetKeys()
    {
        try
        {
            using var secret = JsonDocument.Parse(await GetSecret(Variable("SECRET_NAME", "")));
            return secret.RootElement.EnumerateObject().Select(field => field.Name).ToArray();
        }
        catch (JsonException)
        {
            return new { error = "the text is not JSON" }; // The exception's message quotes it.
        }
        catch (Exception error)
        {
            return new { error = error.Message };
        }
    }

    /// <summary>Takes and returns streams, which need no serializer.</summary>
    public static async Task<Stream> Handler(Stream input)
    {
        var result = JsonSerializer.SerializeToUtf8Bytes(new { init = Init, handler = await GetKeys() });
        Console.WriteLine(System.Text.Encoding.UTF8.GetString(result));
        return new MemoryStream(result);
    }

    private static string Variable(string name, string otherwise)
    {
        var value = Environment.GetEnvironmentVariable(name);
        return string.IsNullOrEmpty(value) ? otherwise : value;
    }
}
