//! A corpus of malformed and hostile replies.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Conclusion, EXCEPTION, ORDER, PAYMENT_INFO, PROCESSED, REGISTERED, conclusion};

/// A name and a body.
type Case = (String, Vec<u8>);

fn case(name: impl Into<String>, body: impl Into<Vec<u8>>) -> Case {
    (name.into(), body.into())
}

fn joined(numbers: Range<u32>, text: impl Fn(u32) -> String) -> String {
    numbers.map(text).collect::<Vec<_>>().concat()
}

/// Replies that are truncated at many positions.
fn truncated() -> Vec<Case> {
    let cut = |name: &str, whole: &str, parts: usize| -> Vec<Case> {
        let length = whole.len();
        (0..parts)
            .map(|part| {
                case(
                    format!("{name} cut at {part}/{parts}"),
                    &whole.as_bytes()[..length * part / parts],
                )
            })
            .collect()
    };
    [
        cut("payment info", PAYMENT_INFO, 40),
        cut("processed", PROCESSED, 10),
        cut("registered", REGISTERED, 10),
        cut("exception", EXCEPTION, 10),
    ]
    .concat()
}

/// Document types, and external and internal entities.
fn entities() -> Vec<Case> {
    let laughs = joined(1..10, |level| {
        format!("<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10))
    });
    let document = |subset: &str, used: &str| {
        format!("<!DOCTYPE a [{subset}]>{}", REGISTERED.replace("114704", used))
    };
    [
        ("billion laughs", document(&format!("<!ENTITY l0 'ha'>{laughs}"), "&l9;")),
        (
            "quadratic",
            document(&format!("<!ENTITY l '{}'>", "h".repeat(1000)), &"&l;".repeat(1000)),
        ),
        ("recursive", document("<!ENTITY a '&b;'><!ENTITY b '&a;'>", "&a;")),
        ("a file", document("<!ENTITY a SYSTEM 'file:///etc/passwd'>", "&a;")),
        ("a device", document("<!ENTITY a SYSTEM 'file:///dev/zero'>", "&a;")),
        ("an address", document("<!ENTITY a SYSTEM 'http://127.0.0.1:1/'>", "&a;")),
        (
            "metadata",
            document("<!ENTITY a PUBLIC 'x' 'http://169.254.169.254/latest/meta-data/'>", "&a;"),
        ),
        (
            "a parameter entity",
            document("<!ENTITY % a SYSTEM 'http://127.0.0.1:1/'> %a;", "114704"),
        ),
        ("an internal entity", document("<!ENTITY a '114704'>", "&a;")),
        ("an unused entity", document("<!ENTITY a 'x'>", "114704")),
        ("an empty subset", document("", "114704")),
        (
            "an external subset",
            format!("<!DOCTYPE RegisterResponse SYSTEM 'http://127.0.0.1:1/a.dtd'>{REGISTERED}"),
        ),
        ("a default attribute", document("<!ATTLIST TransactionId x CDATA 'y'>", "114704")),
        ("an entity without a document type", REGISTERED.replace("114704", "&a;")),
        ("a notation", document("<!NOTATION a SYSTEM 'calc.exe'>", "114704")),
        ("an entity in an attribute", EXCEPTION.replace("BBSException", "&a;")),
    ]
    .map(|(name, body)| case(name, body))
    .to_vec()
}

/// Bytes that are not UTF-8, and unusual characters.
fn encodings() -> Vec<Case> {
    let wide = |text: &str, big: bool, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff_u16);
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        mark.into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let with_bytes = |bytes: &[u8]| {
        let (before, after) = REGISTERED.split_once("114704").unwrap();
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    vec![
        case("utf-16 le", wide(REGISTERED, false, false)),
        case("utf-16 le with a mark", wide(REGISTERED, false, true)),
        case("utf-16 be", wide(REGISTERED, true, false)),
        case("utf-16 be with a mark", wide(REGISTERED, true, true)),
        case(
            "utf-32",
            REGISTERED
                .chars()
                .flat_map(|letter| u32::from(letter).to_le_bytes())
                .collect::<Vec<_>>(),
        ),
        case("latin-1", with_bytes(b"114704\xe6\xf8\xe5")),
        case("an overlong slash", with_bytes(b"\xc0\xaf")),
        case("an overlong nul", with_bytes(b"\xc0\x80")),
        case("half a surrogate", with_bytes(b"\xed\xa0\x80")),
        case("beyond unicode", with_bytes(b"\xf4\x90\x80\x80")),
        case("a continuation byte alone", with_bytes(b"\x80")),
        case("an incomplete character", with_bytes(b"\xe2\x82")),
        case("nul", with_bytes(b"1147\x0004")),
        case("a control character", with_bytes(b"1147\x0b04")),
        case("escape", with_bytes(b"\x1b[2J")),
        case("U+FFFE", with_bytes("\u{fffe}".as_bytes())),
        case("a character reference to nul", with_bytes(b"&#0;")),
        case("a character reference without end", with_bytes(b"&#x31")),
        case("a character reference that is huge", with_bytes(b"&#99999999999999999999;")),
        case("utf-7", &b"+ADw-RegisterResponse+AD4-"[..]),
        case("ebcdic", &b"\x4c\x6f\xa7\x94\x93"[..]),
    ]
}

/// Replies that are very deep, wide or long.
fn sizes() -> Vec<Case> {
    let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    let inside = |what: &str| format!("<RegisterResponse>{what}</RegisterResponse>");
    vec![
        case("5,000 deep", inside(&deep(5_000))),
        case("9,000 deep", deep(9_000)),
        case("20,000 opened and never closed", "<a>".repeat(20_000)),
        case("10,000 children", inside(&"<a/>".repeat(10_000))),
        case("8,000 texts", inside(&"<a>x</a>".repeat(8_000))),
        case(
            "60 KiB of comment, and nothing else",
            inside(&format!("<!--{}-->", "x".repeat(60_000))),
        ),
        case("60 KiB of text, and nothing else", inside(&"x".repeat(60_000))),
        case("60 KiB of blanks", " ".repeat(60_000)),
        case("60 KiB of name", format!("<{}/>", "x".repeat(60_000))),
        case("60 KiB of CDATA", inside(&format!("<![CDATA[{}]]>", "x".repeat(60_000)))),
        case("60 KiB of processing instruction", format!("<?{}?>", "x".repeat(60_000))),
        case("60 KiB of attribute", format!("<RegisterResponse a=\"{}\"/>", "x".repeat(60_000))),
        case(
            "4,000 attributes",
            format!("<RegisterResponse {}/>", joined(0..4_000, |n| format!("a{n}='' "))),
        ),
        case(
            "2,000 namespaces",
            format!("<RegisterResponse {}/>", joined(0..2_000, |n| format!("xmlns:a{n}='u{n}' "))),
        ),
        case("the same attribute twice", "<RegisterResponse a='1' a='2'/>"),
        case(
            "an undeclared prefix",
            "<x:RegisterResponse><x:TransactionId>114704</x:TransactionId></x:RegisterResponse>",
        ),
    ]
}

/// Replies of other servers and of proxies, with status 200.
fn other_servers() -> Vec<Case> {
    [
        "", " ", "\r\n\r\n", "OK", "null", "true", "0", "[]", "{}", r#"{"TransactionId":"114704"}"#, "TransactionId=114704&responseCode=OK",
        "<!DOCTYPE html><html><body>Service unavailable</body></html>",
        "<html><head><title>The resource cannot be found.</title></head><body><br></body></html>",
        "<html><body><RegisterResponse><TransactionId>114704</TransactionId></RegisterResponse></body></html>",
        "<html/>", "<h1>502 Bad Gateway</h1>", "<html><meta http-equiv='refresh' content='0'/></html>", "HTTP/1.1 200 OK\r\n\r\n<a/>",
        "<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'><soap:Body><RegisterResponse/></soap:Body></soap:Envelope>",
        "<?xml version='1.0'?>", "<?xml version='9.9'?><RegisterResponse/>", "<!-- nothing -->", "<![CDATA[x]]>", "<", ">", "</a>", "<a", "<a/><b/>",
        "<RegisterResponse/><RegisterResponse/>", "<RegisterResponse></registerresponse>", "<registerresponse><TransactionId>114704</TransactionId></registerresponse>",
        "<RegisterResponse><Transactionid>114704</Transactionid></RegisterResponse>", "<BBSException><Message>x</Message></BBSException>",
        "<GenericError/>", "<Result><ResponseCode>OK</ResponseCode></Result>", "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>",
        "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>", "%PDF-1.7", "GIF89a", "#!/bin/sh\nreboot", "PK\u{3}\u{4}",
        "\u{feff}\u{feff}<RegisterResponse><TransactionId>114704</TransactionId></RegisterResponse> trailing",
    ]
    .iter()
    .map(|body| case(format!("another server: {body:.60}"), *body))
    .chain([case("gzip", &b"\x1f\x8b\x08\x00\x00\x00\x00\x00"[..]), case("png", &b"\x89PNG\r\n\x1a\n"[..])])
    .collect()
}

/// Every needed element twice, twice with different texts, and with a child element.
fn duplicates() -> Vec<Case> {
    let all = [
        (REGISTERED, &["TransactionId"][..]),
        (PROCESSED, &["TransactionId", "ResponseCode", "Operation"]),
        (
            EXCEPTION,
            &["Message", "ResponseCode", "ResponseSource", "ResponseText", "TransactionId"],
        ),
        (
            PAYMENT_INFO,
            &["OrderNumber", "Authorized", "PanHash", "MaskedPAN", "ExpiryDate", "PaymentMethod"],
        ),
    ];
    let mut cases = Vec::new();
    for (whole, names) in all {
        for name in names {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let start = whole.rfind(&open).unwrap();
            let end = start + whole[start..].find(&close).unwrap() + close.len();
            let (before, element, after) = (&whole[..start], &whole[start..end], &whole[end..]);
            cases.push(case(format!("{name} twice"), format!("{before}{element}{element}{after}")));
            cases.push(case(
                format!("{name} twice, and different"),
                format!("{before}{element}{open}x{close}{after}"),
            ));
            cases.push(case(
                format!("{name} with an element in it"),
                format!("{before}{open}<b>OK</b>{close}{after}"),
            ));
        }
    }
    for name in ["CardInformation", "OrderInformation", "Summary", "History"] {
        let second = format!("<{name}></{name}></PaymentInfo>");
        cases.push(case(format!("{name} twice"), PAYMENT_INFO.replace("</PaymentInfo>", &second)));
    }
    cases.push(case("Error twice", EXCEPTION.replace("</Exception>", "<Error/></Exception>")));
    cases.push(case("Result twice", EXCEPTION.replace("</Error>", "<Result/></Error>")));
    cases
}

/// Replies with a needed element that is missing, empty or invalid.
fn missing() -> Vec<Case> {
    let without = |whole: &str, text: &str| whole.replace(text, "");
    vec![
        case("no transaction id", without(REGISTERED, "<TransactionId>114704</TransactionId>")),
        case("an empty transaction id", without(REGISTERED, "114704")),
        case("no response code", without(PROCESSED, "<ResponseCode>OK</ResponseCode>")),
        case("an empty response code", PROCESSED.replace("OK", " ")),
        case(
            "no order number",
            without(PAYMENT_INFO, "<OrderNumber>114704-1795428000000</OrderNumber>"),
        ),
        case("an empty order number", without(PAYMENT_INFO, ORDER)),
        case("no summary", PAYMENT_INFO.replace("Summary>", "Summery>")),
        case("no Authorized", without(PAYMENT_INFO, "<Authorized>true</Authorized>")),
        case("no error in an exception", "<Exception/>"),
        case("an exception of text", "<Exception>Unable to verify</Exception>"),
    ]
    .into_iter()
    .chain(["", "yes", "1", "truefalse", "true false", "да", "null", "TRUE\u{200b}"].map(|text| {
        case(
            format!("Authorized is {text:?}"),
            PAYMENT_INFO.replace("<Authorized>true", &format!("<Authorized>{text}")),
        )
    }))
    .collect()
}

/// Well-formed replies without a usable card or id. They must not confirm anything.
fn unusable() -> Vec<Case> {
    let expiries = [
        "0000",
        "2900",
        "2913",
        "2999",
        "9999x",
        "-101",
        "+101",
        "290",
        "29033",
        "29 03",
        "29/03",
        "0329x",
        "1e03",
        "２９０３",
        "٢٩٠٣",
        "29.3",
        "2O03",
        "",
        "NaN",
        "99999999999999999999",
    ];
    let masked = [
        "",
        "****",
        "492500******",
        "492500******00",
        "492500******ABCD",
        "492500******٠٠٠٤",
        "x",
        "492500******000 ",
        "- 4",
    ];
    let replaced = |from: &str, to: &str| PAYMENT_INFO.replace(from, to);
    let expiries = expiries.map(|text| case(format!("expiry {text:?}"), replaced("2903", text)));
    let masked =
        masked.map(|text| case(format!("masked pan {text:?}"), replaced("492500******0004", text)));
    let more = [
        case("no pan hash", replaced("<PanHash>q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=</PanHash>", "")),
        case("an empty pan hash", replaced("q5c+kh1Nc9Ewd0aBcDeFgHiJkIA=", " ")),
        case("another order", replaced(ORDER, "114704-1")),
        case("no card information", replaced("CardInformation>", "CardInformatiom>")),
        case(
            "not verified",
            replaced("Verify</Operation>", "Very</Operation>").replace("true", "false"),
        ),
    ];
    expiries.into_iter().chain(masked).chain(more).collect()
}

#[test]
fn hostile_replies_confirm_nothing() {
    let started = Instant::now();
    let groups =
        [truncated(), entities(), encodings(), sizes(), other_servers(), duplicates(), missing()];
    let mut count = 0;
    for (name, body) in groups.into_iter().flatten() {
        assert!(body.len() <= 64 * 1024 + 512, "{name}: {}", body.len());
        assert_eq!(conclusion(&body), Conclusion::Invalid, "{name}");
        count += 1;
    }
    for (name, body) in unusable() {
        let conclusion = conclusion(&body);
        assert!(
            conclusion == Conclusion::NotConfirmed || conclusion == Conclusion::Invalid,
            "{name}: {conclusion:?}"
        );
        count += 1;
    }
    assert!(count >= 200, "{count}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
