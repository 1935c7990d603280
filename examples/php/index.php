<?php
// A PHP function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It needs no package. It prints and returns only the secret's keys. Your function must not log a value either.

declare(strict_types=1);

/** Returns the text of a secret, by name or ARN. */
function getSecret(string $secretId): string
{
    $port = getenv('CROSS_ACCOUNT_SECRETS_HTTP_PORT') ?: '2773';
    $token = getenv('CROSS_ACCOUNT_SECRETS_TOKEN') ?: getenv('AWS_SESSION_TOKEN') ?: getenv('AWS_CONTAINER_AUTHORIZATION_TOKEN');
    $url = "http://127.0.0.1:$port/secretsmanager/get?secretId=" . rawurlencode($secretId);
    // PHP's streams ignore proxy variables. With ignore_errors, the body of a 403 can be read, too.
    $http = ['header' => "X-Aws-Parameters-Secrets-Token: $token", 'timeout' => 5, 'ignore_errors' => true];
    $stream = @fopen($url, 'r', false, stream_context_create(['http' => $http]));
    if ($stream === false) {
        throw new RuntimeException('no answer from the extension');
    }
    $status = explode(' ', stream_get_meta_data($stream)['wrapper_data'][0])[1];
    $body = json_decode(stream_get_contents($stream), true, flags: JSON_THROW_ON_ERROR);
    if ($status === '200') {
        return $body['SecretString'];
    }
    throw new RuntimeException(trim("$status {$body['__type']}: {$body['message']} " . ($body['remedy'] ?? '')));
}

function getKeys(): array
{
    try {
        $fields = json_decode(getSecret(getenv('SECRET_NAME') ?: ''), flags: JSON_THROW_ON_ERROR);
        return is_object($fields) ? array_keys((array) $fields) : ['error' => 'the secret is not a JSON object'];
    } catch (Throwable $error) {
        return ['error' => $error->getMessage()]; // PHP's parser does not quote the text that is not JSON.
    }
}

$init = getKeys(); // Never throws: an error here would cost a cold start, and only the handler can report it.

return function (mixed $event) use ($init): array {
    $result = ['init' => $init, 'handler' => getKeys()];
    echo json_encode($result), "\n";
    return $result;
};
