//! The calls to the API that a session made, as curl lines and answers.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many calls are kept.
const MAX_CALLS: usize = 50;

/// A call and its answer, as texts to copy. Neither contains the token.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Method and path.
    pub(super) title: String,
    /// Absent when there was no answer.
    pub(super) status: Option<u16>,
    pub(super) curl: String,
    /// Status line, headers and body, or why there was no answer.
    pub(super) answer: String,
}

/// The newest calls of a session, newest first.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: Mutex<VecDeque<Call>>,
}

impl CallLog {
    pub(super) fn add(&self, call: Call) {
        let mut calls = self.calls();
        calls.push_front(call);
        calls.truncate(MAX_CALLS);
    }

    pub(super) fn newest_first(&self) -> Vec<Call> {
        self.calls().iter().cloned().collect()
    }

    fn calls(&self) -> MutexGuard<'_, VecDeque<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call as a command for a shell. The token is in the shell's variable `TOKEN`.
pub(super) fn curl(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: Option<&str>,
) -> String {
    let mut line = format!("curl -s -X {method} {}", quoted(url));
    line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    for (name, value) in headers {
        // Writing to a string never fails.
        write!(line, " \\\n  -H {}", quoted(&format!("{name}: {value}"))).unwrap_or_default();
    }
    if let Some(body) = body {
        write!(line, " \\\n  -d {}", quoted(body)).unwrap_or_default();
    }
    line
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Formats JSON with one member in each line, in the order of the text. Other text is returned as it is.
pub(super) fn indented(text: &str) -> String {
    let mut output = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut writer = serde_json::Serializer::pretty(&mut output);
    match serde_transcode::transcode(&mut reader, &mut writer) {
        Ok(()) => String::from_utf8(output).unwrap_or_else(|_| text.to_owned()),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_texts_of_a_curl_line_unchanged() {
        let headers = [("ET-Client-Name", "demo-shop".to_owned())];
        let body = r#"{"nickname":"Kari's $HOME `id` \\ card"}"#;
        let line = curl("POST", "http://127.0.0.1:3000/v1/a?b=c&d='e", &headers, Some(body));
        // printf prints each of its arguments in a line.
        let script = line.replacen("curl", "printf '%s\\n'", 1);
        let run =
            std::process::Command::new("sh").args(["-c", &script]).env("TOKEN", "secret").output();
        let output = String::from_utf8(run.unwrap().stdout).unwrap();
        let expected = [
            "-s",
            "-X",
            "POST",
            "http://127.0.0.1:3000/v1/a?b=c&d='e",
            "-H",
            "Authorization: Bearer secret",
            "-H",
            "ET-Client-Name: demo-shop",
            "-d",
            body,
        ];
        assert_eq!(output.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn json_keeps_the_order_of_its_members() {
        assert_eq!(
            indented(r#"{"b":[1],"a":"x"}"#),
            "{\n  \"b\": [\n    1\n  ],\n  \"a\": \"x\"\n}"
        );
        assert_eq!(indented("<html>"), "<html>");
    }

    #[test]
    fn only_the_newest_calls_are_kept() {
        let log = CallLog::default();
        for number in 0..MAX_CALLS + 3 {
            let title = number.to_string();
            log.add(Call { title, status: None, curl: String::new(), answer: String::new() });
        }
        let calls = log.newest_first();
        assert_eq!(
            (calls.len(), calls[0].title.as_str(), calls[49].title.as_str()),
            (50, "52", "3")
        );
    }
}
