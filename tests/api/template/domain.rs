//! The custom domain: it is optional, and it maps to the API.

use local::template::Template;
use serde_json::json;

/// Returns the violations.
pub(super) fn custom_domain(template: &Template) -> Vec<String> {
    let (document, mut violations) = (template.document(), Vec::new());
    for name in ["BasePath", "CertificateArn", "DomainName"] {
        if document["Parameters"][name]["Default"] != "" {
            violations.push(format!("{name} has no empty default"));
        }
    }
    let expected_condition =
        json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "DomainName" }, ""] }] });
    if document["Conditions"]["HasDomainName"] != expected_condition {
        violations.push("HasDomainName does not depend on DomainName".to_owned());
    }
    let mut check_resource = |kind: &str, expected: &[(&str, serde_json::Value)]| {
        let Some((name, resource)) = template.resources(kind).next() else {
            return violations.push(format!("no {kind}"));
        };
        if resource["Condition"] != "HasDomainName" {
            violations.push(format!("{name}: exists without a domain name"));
        }
        for (property, value) in expected {
            if resource["Properties"][property] != *value {
                violations
                    .push(format!("{name}: {property} is {}", resource["Properties"][property]));
            }
        }
    };
    let certificate = json!({
        "CertificateArn": { "Ref": "CertificateArn" },
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
    });
    check_resource(
        "AWS::ApiGatewayV2::DomainName",
        &[
            ("DomainName", json!({ "Ref": "DomainName" })),
            ("DomainNameConfigurations", json!([certificate])),
        ],
    );
    let base_path =
        json!({ "Fn::If": ["HasBasePath", { "Ref": "BasePath" }, { "Ref": "AWS::NoValue" }] });
    check_resource(
        "AWS::ApiGatewayV2::ApiMapping",
        &[
            ("ApiId", json!({ "Ref": "Api" })),
            ("ApiMappingKey", base_path),
            ("DomainName", json!({ "Ref": "CustomDomain" })),
            ("Stage", json!({ "Ref": "Api.Stage" })),
        ],
    );
    violations
}
