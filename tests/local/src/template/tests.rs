use std::time::Duration;

use super::events::rate;
use super::{Cors, Fault, Parameters, Route, Secrets, Template, Throttling};

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
          Caller: { FunctionArn: !GetAtt Door.Arn, Identity: { Headers: [Authorization], ReauthorizeEvery: 300 } }
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
fn a_function_has_its_resolved_environment_and_routes() {
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
fn the_authorizer_and_the_tables() {
    let template = Template::parse(TEXT).unwrap();
    let authorizer = template.authorizer().unwrap();
    assert_eq!(
        (authorizer.function.as_str(), authorizer.header.as_str()),
        ("Door", "authorization")
    );
    assert_eq!(authorizer.remembered, Duration::from_mins(5));
    assert_eq!(template.tables()[0]["TableName"], "Things");
}

#[test]
fn a_schedule_is_a_rate() {
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
fn a_schedule_that_is_not_played_is_named() {
    let fault = |event: &str| {
        let text = TEXT.replace("rate(1 minute) } }", event).replace("!Ref Address", "none");
        let error = Template::parse(&text)
            .unwrap()
            .functions(&Parameters::new(), &Secrets::new())
            .unwrap_err();
        error.to_string()
    };
    assert_eq!(
        fault("cron(0 1 * * ? *) } }"),
        "template.yaml: Get: the schedule \"cron(0 1 * * ? *)\" is not played here"
    );
    assert_eq!(
        fault("rate(1 day) } }\n        Too: { Type: ScheduleV2 }").replace(" }", ""),
        "template.yaml: Get: more than one schedule is not played here"
    );
}

#[test]
fn a_parameter_without_value_is_named() {
    let error =
        Template::parse(TEXT).unwrap().functions(&Parameters::new(), &Secrets::new()).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: the parameter Address has no value");
}

fn texts(given: &[(&str, &str)]) -> Parameters {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a variable is that is written so, with these parameters.
fn variable(written: &str, parameters: &[(&str, &str)]) -> Result<Option<String>, Fault> {
    let text = TEXT.replace("!Ref Address", "none");
    let text = text.replace("{ LEVEL: info }", &format!("{{ X: {written} }}"));
    let template = Template::parse(&text).unwrap();
    let functions = template.functions(&texts(parameters), &texts(&[("Key", "k3y")]))?;
    Ok(functions[0].environment.get("X").cloned())
}

#[test]
fn every_reference_that_is_played() {
    for (written, value) in [
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
        assert_eq!(variable(written, &[]).unwrap().as_deref(), Some(value), "{written}");
    }
    assert_eq!(variable("!Ref AWS::NoValue", &[]), Ok(None));
    let long = [("Months", "48")];
    assert_eq!(variable("!If [IsLong, yes, no]", &long).unwrap().as_deref(), Some("yes"));
}

#[test]
fn a_reference_that_is_not_played_is_named() {
    for (written, fault) in [
        ("!Ref Nothing", "nothing is called Nothing"),
        ("!GetAtt Nothing.Arn", "nothing is called Nothing.Arn"),
        ("!Sub '${Nothing}'", "nothing is called Nothing"),
        ("!Sub '${Nothing.Arn}'", "nothing is called Nothing.Arn"),
        ("!Sub '${Things'", "${Things has a ${ without its end"),
        ("'{{resolve:secretsmanager:Key'", "{{resolve:secretsmanager:Key has a {{ without its end"),
        ("'{{resolve:secretsmanager:TokenSecret}}'", "the secret TokenSecret has no value"),
        ("!If [Nothing, a, b]", "the condition {\"Condition\":\"Nothing\"} is not played here"),
        ("!Select [0, [a]]", "Fn::Select of [0,[\"a\"]] is not played here"),
        ("{ a: 1, b: 2 }", "{\"a\":1,\"b\":2} is not a text"),
        ("[a]", "[\"a\"] is not a text"),
    ] {
        let error = variable(written, &[]).unwrap_err();
        assert_eq!(error.to_string(), format!("template.yaml: {fault}"), "{written}");
    }
}

#[test]
fn a_secret_is_given_or_generated() {
    let template = Template::parse(TEXT).unwrap();
    let secrets = template.secrets(&Parameters::new(), &texts(&[("Key", "k3y")])).unwrap();
    assert_eq!(secrets, texts(&[("Key", "k3y"), ("TokenSecret", "of Nets")]));
    let error = template.secrets(&Parameters::new(), &Secrets::new()).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: the secret Key has no value");
}

#[test]
fn what_the_door_is_told() {
    let template = Template::parse(TEXT).unwrap();
    assert_eq!(template.cors(&Parameters::new()), Ok(None));
    let cors = template.cors(&texts(&[("Origins", "https://a.no,https://b.no")])).unwrap();
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let expected = Cors {
        origins: list(&["https://a.no", "https://b.no"]),
        methods: list(&["GET"]),
        headers: list(&[]),
        exposed: list(&[]),
        max_age: Duration::from_mins(10),
    };
    assert_eq!(cors, Some(expected));
    let throttling = template.throttling(&Parameters::new()).unwrap();
    assert_eq!(throttling, Some(Throttling { rate: 36, burst: 7 }));
    let error = template.throttling(&texts(&[("Months", "many")])).unwrap_err();
    assert_eq!(error.to_string(), "template.yaml: many is not a number");
    assert_eq!(template.log_level(), Some("INFO"));
    let none = Template::parse("Resources: {}").unwrap();
    assert_eq!(none.cors(&Parameters::new()), Ok(None));
    assert_eq!(none.throttling(&Parameters::new()), Ok(None));
    assert_eq!(none.log_level(), None);
}
