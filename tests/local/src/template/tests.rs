use std::time::Duration;

use super::events::rate;
use super::{Cors, Parameters, Route, Secrets, Template, TemplateError, Throttling};

const TEXT: &str = r#"
Parameters:
  Address: { Type: String }
  Months: { Type: Number, Default: 36 }
  Origins: { Type: String, Default: "" }
  Token: { Type: String, Default: of Nets }
Conditions:
  HasOrigins: !Not [!Equals [!Ref Origins, ""]]
  IsLong: !Equals [!Ref Months, 48]
Globals:
  Function: { Timeout: 29, MemorySize: 256, Environment: { Variables: { LEVEL: info } }, LoggingConfig: { ApplicationLogLevel: INFO } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Caller
        Authorizers:
          Caller: { FunctionArn: !GetAtt CheckCaller.Arn, Identity: { Headers: [Authorization], ReauthorizeEvery: 300 } }
      CorsConfiguration: !If [HasOrigins, { AllowOrigins: !Split [",", !Ref Origins], AllowMethods: [GET], MaxAge: 600 }, !Ref AWS::NoValue]
      DefaultRouteSettings: { ThrottlingRateLimit: !Ref Months, ThrottlingBurstLimit: 7 }
  Key: { Type: AWS::SecretsManager::Secret, Properties: { GenerateSecretString: {} } }
  TokenSecret: { Type: AWS::SecretsManager::Secret, Properties: { SecretString: !Ref Token } }
  Things:
    Type: AWS::DynamoDB::Table
    Properties: { BillingMode: PAY_PER_REQUEST, KeySchema: [{ AttributeName: slot, KeyType: HASH }] }
  Get:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: get-thing } }
    Properties:
      Timeout: 5
      Environment: { Variables: { TABLE: !Ref Things, ADDRESS: !Ref Address, MONTHS: !Ref Months } }
      Events:
        Http: { Type: HttpApi, Properties: { Method: get, Path: "/things/{id}" } }
        Open: { Type: HttpApi, Properties: { Method: POST, Path: "/open/{secret}", Auth: { Authorizer: NONE } } }
        Often: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 minute) } }
"#;

#[test]
fn a_function_has_its_resolved_environment_and_its_routes() {
    let template = Template::parse(TEXT).unwrap();
    let parameters = Parameters::from([("Address".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let [function] = &template.functions(&parameters, &Secrets::new()).unwrap()[..] else {
        panic!("one function")
    };
    let environment: Vec<_> =
        function.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        environment,
        [
            ("ADDRESS", "http://127.0.0.1:1"),
            ("LEVEL", "info"),
            ("MONTHS", "36"),
            ("TABLE", "Things")
        ]
    );
    assert_eq!(
        (function.binary.as_str(), function.timeout, function.memory),
        ("get-thing", Duration::from_secs(5), 256)
    );
    let route = |method: &str, path: &str, authorized| Route {
        method: method.to_owned(),
        path: path.to_owned(),
        authorized,
    };
    assert_eq!(
        function.routes,
        [route("GET", "/things/{id}", true), route("POST", "/open/{secret}", false)]
    );
    assert_eq!(function.schedule, Some(Duration::from_mins(1)));
}

#[test]
fn authorizer_and_tables_are_read() {
    let template = Template::parse(TEXT).unwrap();
    let authorizer = template.authorizer().unwrap();
    assert_eq!(
        (authorizer.function.as_str(), authorizer.header.as_str()),
        ("CheckCaller", "authorization")
    );
    assert_eq!(authorizer.cache_ttl, Duration::from_mins(5));
    assert_eq!(template.tables()[0]["TableName"], "Things");
}

#[test]
fn a_rate_expression_is_a_period() {
    let hour = Duration::from_hours(1);
    for (expression, every) in [
        ("rate(5 minutes)", Some(Duration::from_mins(5))),
        ("rate(1 hour)", Some(hour)),
        ("rate(2 hours)", Some(2 * hour)),
        ("rate(1 day)", Some(24 * hour)),
        ("rate(30 days)", Some(30 * 24 * hour)),
        ("rate(0 minutes)", None),
        ("rate(-1 minutes)", None),
        ("rate(1.5 hours)", None),
        ("rate(1 week)", None),
        ("rate(minute)", None),
        ("rate(1 minute", None),
        ("cron(0 10 * * ? *)", None),
        ("at(2026-11-23T06:20:00)", None),
        ("", None),
    ] {
        assert_eq!(rate(expression), every, "{expression}");
    }
}

#[test]
fn an_unsupported_schedule_is_named_in_the_error() {
    let error = |event: &str| {
        let text = TEXT.replace("rate(1 minute) } }", event).replace("!Ref Address", "none");
        let error = Template::parse(&text)
            .unwrap()
            .functions(&Parameters::new(), &Secrets::new())
            .unwrap_err();
        error.to_string()
    };
    assert_eq!(
        error("cron(0 1 * * ? *) } }"),
        "template.yaml: Get: the schedule \"cron(0 1 * * ? *)\" is not supported"
    );
    assert_eq!(
        error("rate(1 day) } }\n        Too: { Type: ScheduleV2 }").replace(" }", ""),
        "template.yaml: Get: more than one schedule is not supported"
    );
}

#[test]
fn a_parameter_without_a_value_is_named_in_the_error() {
    let error =
        Template::parse(TEXT).unwrap().functions(&Parameters::new(), &Secrets::new()).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: the parameter Address has no value");
}

fn map(pairs: &[(&str, &str)]) -> Parameters {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The value of an environment variable that is this YAML in the template, with these parameters.
fn variable(yaml: &str, parameters: &[(&str, &str)]) -> Result<Option<String>, TemplateError> {
    let text = TEXT.replace("!Ref Address", "none");
    let text = text.replace("{ LEVEL: info }", &format!("{{ X: {yaml} }}"));
    let template = Template::parse(&text).unwrap();
    let functions = template.functions(&map(parameters), &map(&[("Key", "k3y")]))?;
    Ok(functions[0].environment.get("X").cloned())
}

#[test]
fn all_supported_references_are_resolved() {
    for (yaml, value) in [
        ("!Ref AWS::StackName", "local"),
        ("!Ref Things", "Things"),
        ("!GetAtt Things.Arn", "Things.Arn"),
        ("!Sub '${AWS::Region}.${AWS::URLSuffix}'", "eu-north-1.amazonaws.com"),
        ("!Sub '${Things.Arn}/index/${!Name}-${Months}'", "Things.Arn/index/${Name}-36"),
        ("!Sub '{{resolve:secretsmanager:${Key}}}'", "k3y"),
        ("!Sub '<{{resolve:secretsmanager:Key}}{{resolve:secretsmanager:${Key}}}>'", "<k3yk3y>"),
        ("!If [HasOrigins, yes, no]", "no"),
        ("!If [IsLong, yes, !Ref Months]", "36"),
    ] {
        assert_eq!(variable(yaml, &[]).unwrap().as_deref(), Some(value), "{yaml}");
    }
    assert_eq!(variable("!Ref AWS::NoValue", &[]), Ok(None));
    let long = [("Months", "48")];
    assert_eq!(variable("!If [IsLong, yes, no]", &long).unwrap().as_deref(), Some("yes"));
}

#[test]
fn an_unsupported_reference_is_named_in_the_error() {
    for (yaml, reason) in [
        ("!Ref Nothing", "Nothing does not exist"),
        ("!GetAtt Nothing.Arn", "Nothing.Arn does not exist"),
        ("!Sub '${Nothing}'", "Nothing does not exist"),
        ("!Sub '${Nothing.Arn}'", "Nothing.Arn does not exist"),
        ("!Sub '${Things'", "${Things has a ${ without }"),
        ("'{{resolve:secretsmanager:Key'", "{{resolve:secretsmanager:Key has {{ without }}"),
        ("'{{resolve:secretsmanager:TokenSecret}}'", "the secret TokenSecret has no value"),
        ("!If [Nothing, a, b]", "the condition {\"Condition\":\"Nothing\"} is not supported"),
        ("!Select [0, [a]]", "Fn::Select of [0,[\"a\"]] is not supported"),
        ("{ a: 1, b: 2 }", "{\"a\":1,\"b\":2} is not a string"),
        ("[a]", "[\"a\"] is not a string"),
    ] {
        let error = variable(yaml, &[]).unwrap_err();
        assert_eq!(error.to_string(), format!("template.yaml: {reason}"), "{yaml}");
    }
}

#[test]
fn a_secret_comes_from_the_template_or_is_generated() {
    let template = Template::parse(TEXT).unwrap();
    let secrets = template.secrets(&Parameters::new(), &map(&[("Key", "k3y")])).unwrap();
    assert_eq!(secrets, map(&[("Key", "k3y"), ("TokenSecret", "of Nets")]));
    let error = template.secrets(&Parameters::new(), &Secrets::new()).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: the secret Key has no value");
}

#[test]
fn cors_throttling_and_log_level_are_read() {
    let template = Template::parse(TEXT).unwrap();
    assert_eq!(template.cors(&Parameters::new()), Ok(None));
    let cors = template.cors(&map(&[("Origins", "https://a.no,https://b.no")])).unwrap();
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let expected = Cors {
        origins: list(&["https://a.no", "https://b.no"]),
        methods: list(&["GET"]),
        headers: list(&[]),
        exposed_headers: list(&[]),
        max_age: Duration::from_mins(10),
    };
    assert_eq!(cors, Some(expected));
    let throttling = template.throttling(&Parameters::new()).unwrap();
    assert_eq!(throttling, Some(Throttling { rate: 36, burst: 7 }));
    let error = template.throttling(&map(&[("Months", "many")])).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: many is not a non-negative integer");
    assert_eq!(template.log_level(), Some("INFO"));
    let none = Template::parse("Resources: {}").unwrap();
    assert_eq!(none.cors(&Parameters::new()), Ok(None));
    assert_eq!(none.throttling(&Parameters::new()), Ok(None));
    assert_eq!(none.log_level(), None);
}
