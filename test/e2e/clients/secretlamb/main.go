// A function that reads secrets and parameters as secretlamb's README shows, in static code and in the handler. It answers
// the hash of a value, not the value.
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
	secrets    = secretlamb.MustNewSecrets().WithRetry(3)
	parameters = secretlamb.MustNewParameters().WithRetry(3)
	static     = map[string]any{
		"secret":    toSecretAnswer(secrets.Get(os.Getenv("SECRET_NAME"))),
		"parameter": toParameterAnswer(parameters.Get(os.Getenv("PARAMETER_NAME"))),
	}
)

func toSecretAnswer(v *secretlamb.SecretOutput, err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return toHash(v.SecretString)
}

func toParameterAnswer(v *secretlamb.ParameterOutput, err error) map[string]any {
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return toHash(v.Parameter.Value)
}

func toHash(value string) map[string]any {
	sha256 := sha256.Sum256([]byte(value))
	return map[string]any{"sha256": hex.EncodeToString(sha256[:])}
}

type request struct {
	SecretID       string
	ParameterName  string
	WithDecryption bool
}

func read(event request) map[string]any {
	switch {
	case event.ParameterName == "":
		return toSecretAnswer(secrets.Get(event.SecretID))
	case event.WithDecryption:
		return toParameterAnswer(parameters.GetWithDecryption(event.ParameterName))
	default:
		return toParameterAnswer(parameters.Get(event.ParameterName))
	}
}

func handler(_ context.Context, event request) (map[string]any, error) {
	return map[string]any{"init": static, "handler": read(event)}, nil
}

func main() {
	lambda.Start(handler)
}
