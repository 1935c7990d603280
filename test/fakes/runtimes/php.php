<?php
// A runtime interface client for PHP, just enough to run a function of examples/ with nothing installed.
// Lambda has none. It finds the handler as the layers of Bref do: `_HANDLER=index.php` is a file that returns the function.

declare(strict_types=1);

$api = 'http://' . getenv('AWS_LAMBDA_RUNTIME_API') . '/2018-06-01/runtime/invocation';
$function = require (getenv('LAMBDA_TASK_ROOT') ?: '/var/task') . '/' . getenv('_HANDLER');

while (true) {
    $stream = fopen("$api/next", 'r', false, stream_context_create(['http' => ['timeout' => 86400]]));
    $requestId = '';
    foreach (stream_get_meta_data($stream)['wrapper_data'] as $header) {
        if (stripos($header, 'Lambda-Runtime-Aws-Request-Id: ') === 0) {
            $requestId = substr($header, 31);
        }
    }
    $result = json_encode($function(json_decode(stream_get_contents($stream))));
    $http = ['method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $result];
    file_get_contents("$api/$requestId/response", false, stream_context_create(['http' => $http]));
}
