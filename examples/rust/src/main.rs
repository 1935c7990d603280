//! A Rust function on provided.al2023 that reads a secret from the cross-account-secrets layer, in static code and in each
//! invocation. It needs no crate. It prints and returns only the secret's keys. Your function must not log a value either.
use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::{env, time::Duration};

/// Sends a request on a new connection, without a proxy, and returns the head and the body of the answer.
fn request(host: &str, head: &str, body: &str, timeout: Option<Duration>) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(timeout)?;
    let length = body.len();
    write!(stream, "{head}\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_string(), body.to_string()))
}

/// Asks for the bare value of a secret, by name or ARN.
fn get_secret(secret_id: &str) -> Result<(String, String)> {
    let port = variable("CROSS_ACCOUNT_SECRETS_HTTP_PORT").unwrap_or("2773".into());
    let tokens = ["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    let token = tokens.into_iter().find_map(variable).unwrap_or_default();
    let id: String = secret_id.bytes().map(percent_encode).collect();
    let head = format!("GET /secrets/{id} HTTP/1.1\r\nX-Aws-Parameters-Secrets-Token: {token}");
    request(&format!("127.0.0.1:{port}"), &head, "", Some(Duration::from_secs(5)))
}

/// Returns the secret's keys, or the error, as JSON.
fn get_keys() -> String {
    let (head, body) = match get_secret(&variable("SECRET_NAME").unwrap_or_default()) {
        Ok(answer) => answer,
        Err(error) => return format!(r#"{{"error":"no answer from the extension: {}"}}"#, error.kind()),
    };
    let is_json = head.to_lowercase().contains("\r\ncontent-type: application/json");
    match head.starts_with("HTTP/1.1 200") {
        true if is_json && body.trim_start().starts_with('{') => {
            format!("[{}]", to_keys(&body).join(","))
        }
        false if is_json => format!(r#"{{"error":{body}}}"#), // the extension's own error: {"__type","message","remedy"}
        _ => r#"{"error":"the secret is not a JSON object"}"#.into(),
    }
}

/// Rust's standard library has no JSON parser; your function can use serde_json. A key is a string before a colon, in the
/// outermost object.
fn to_keys(json: &str) -> Vec<&str> {
    let (mut keys, mut depth, mut at) = (Vec::new(), 0, 0);
    while let Some(&byte) = json.as_bytes().get(at) {
        let start = at;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                at += 1;
                while json.as_bytes().get(at).is_some_and(|&byte| byte != b'"') {
                    at += if json.as_bytes()[at] == b'\\' { 2 } else { 1 };
                }
                let after = json.get(at + 1..).unwrap_or_default().trim_start();
                if depth == 1 && after.starts_with(':') {
                    keys.push(&json[start..=at]);
                }
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

fn percent_encode(byte: u8) -> String {
    let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if is_plain {
        char::from(byte).into()
    } else {
        format!("%{byte:02X}")
    }
}

/// Returns a variable, unless it is empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn main() -> Result<()> {
    let runtime_api = variable("AWS_LAMBDA_RUNTIME_API").expect("AWS_LAMBDA_RUNTIME_API is set on Lambda");
    let path = "/2018-06-01/runtime/invocation";
    let init = get_keys(); // A failure here does not end the function: only the handler can report it.
    loop {
        let (head, _event) = request(&runtime_api, &format!("GET {path}/next HTTP/1.1"), "", None)?;
        let id = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("Lambda-Runtime-Aws-Request-Id").then_some(value)
        });
        let id = id.expect("every invocation has an id");
        let result = format!(r#"{{"init":{init},"handler":{}}}"#, get_keys());
        println!("{result}");
        request(&runtime_api, &format!("POST {path}/{id}/response HTTP/1.1"), &result, None)?;
    }
}
