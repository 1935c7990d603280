// A Go function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It prints and returns only the secret's keys. Your function must not log a value either.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

var (
	port  = cmp.Or(os.Getenv("CROSS_ACCOUNT_SECRETS_HTTP_PORT"), "2773")
	token = cmp.Or(os.Getenv("CROSS_ACCOUNT_SECRETS_TOKEN"), os.Getenv("AWS_SESSION_TOKEN"), os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
	// It has its own transport, because any package can change the default one, which also uses HTTP_PROXY.
	client = http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	static = getKeys() // Never panics: an error here would cost a cold start, and only the handler can report it.
)

// getSecret returns the text of a secret, by name or ARN.
func getSecret(secretID string) (string, error) {
	target := "http://127.0.0.1:" + port + "/secretsmanager/get?secretId=" + url.QueryEscape(secretID)
	request, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-Aws-Parameters-Secrets-Token", token)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var body struct {
		SecretString, Message, Remedy string
		Type                          string `json:"__type"`
	}
	if json.NewDecoder(response.Body).Decode(&body) != nil {
		return "", errors.New("the answer is not JSON") // The parser's error quotes it.
	}
	if response.StatusCode != http.StatusOK {
		text := fmt.Sprintf("%d %s: %s %s", response.StatusCode, body.Type, body.Message, body.Remedy)
		return "", errors.New(strings.TrimSpace(text))
	}
	return body.SecretString, nil
}

// getKeys returns the secret's keys, in alphabetical order, or the error.
func getKeys() any {
	secret, err := getSecret(os.Getenv("SECRET_NAME"))
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	var fields map[string]any
	if json.Unmarshal([]byte(secret), &fields) != nil {
		return map[string]string{"error": "the secret is not a JSON object"}
	}
	return slices.Sorted(maps.Keys(fields))
}

func handler(context.Context) (map[string]any, error) {
	result := map[string]any{"init": static, "handler": getKeys()}
	text, err := json.Marshal(result)
	fmt.Println(string(text))
	return result, err
}

func main() {
	lambda.Start(handler)
}
