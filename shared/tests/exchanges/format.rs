//! The text of recordings.

/// The request with one decoded parameter on each line.
pub(crate) fn format_request(path: &str, form: &str) -> String {
    let parameters = url::form_urlencoded::parse(form.as_bytes());
    let lines = parameters.map(|(name, value)| match name.as_ref() {
        "panHash" => "panHash=PANHASH\n".to_owned(),
        name => format!("{name}={value}\n"),
    });
    format!("POST {path}\n{}", lines.collect::<Vec<_>>().concat())
}

/// Replaces values that differ in each run with placeholders.
pub(crate) fn with_placeholders(reply: &str) -> String {
    let mut reply = reply.replace("\r\n", "\n");
    for (names, placeholder) in [
        (
            &[
                "DateTime",
                "ExecutionTime",
                "QueryFinished",
                "Timestamp",
                "CustomerEntered",
                "CustomerRedirected",
            ][..],
            "TIME",
        ),
        (&["PanHash"], "PANHASH"),
        (&["MessageId"], "MESSAGEID"),
    ] {
        for name in names {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let mut parts: Vec<String> = reply.split(&open).map(str::to_owned).collect();
            for part in parts.iter_mut().skip(1) {
                let (_, after) = part.split_once(&close).unwrap();
                *part = format!("{placeholder}{close}{after}");
            }
            reply = parts.join(&open);
        }
    }
    reply
}
