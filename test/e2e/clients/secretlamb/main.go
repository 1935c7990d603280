// A function that reads secrets as secretlamb's README shows, in static code and in the handler. What it says of a value
// tells whether it is the right one, and not what it is.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/winebarrel/secretlamb"
)

var (
	client = secretlamb.MustNewSecrets().WithRetry(3)
	static = read(os.Getenv("SECRET_NAME"))
)

func read(secretID string) map[string]any {
	v, err := client.Get(secretID)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	sha256 := sha256.Sum256([]byte(v.SecretString))
	return map[string]any{"sha256": hex.EncodeToString(sha256[:])}
}

func handler(_ context.Context, event struct{ SecretID string }) (map[string]any, error) {
	return map[string]any{"init": static, "handler": read(event.SecretID)}, nil
}

func main() {
	lambda.Start(handler)
}
