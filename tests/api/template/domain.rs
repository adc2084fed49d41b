//! The custom domain: optional, and the only thing that its name leads to is the API.

use local::template::Template;
use serde_json::json;

/// What is wrong with it.
pub(super) fn custom(template: &Template) -> Vec<String> {
    let (document, mut faults) = (template.document(), Vec::new());
    for name in ["BasePath", "CertificateArn", "DomainName"] {
        if document["Parameters"][name]["Default"] != "" {
            faults.push(format!("{name} has to be given"));
        }
    }
    let is_wanted = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "DomainName" }, ""] }] });
    if document["Conditions"]["HasDomainName"] != is_wanted {
        faults.push("HasDomainName is not about DomainName".to_owned());
    }
    let mut resource = |kind: &str, expected: &[(&str, serde_json::Value)]| {
        let Some((name, resource)) = template.resources(kind).next() else {
            return faults.push(format!("no {kind}"));
        };
        if resource["Condition"] != "HasDomainName" {
            faults.push(format!("{name}: there without a domain name"));
        }
        for (property, value) in expected {
            if resource["Properties"][property] != *value {
                faults.push(format!("{name}: {property} is {}", resource["Properties"][property]));
            }
        }
    };
    let certificate = json!({
        "CertificateArn": { "Ref": "CertificateArn" },
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
    });
    resource(
        "AWS::ApiGatewayV2::DomainName",
        &[
            ("DomainName", json!({ "Ref": "DomainName" })),
            ("DomainNameConfigurations", json!([certificate])),
        ],
    );
    let base_path =
        json!({ "Fn::If": ["HasBasePath", { "Ref": "BasePath" }, { "Ref": "AWS::NoValue" }] });
    resource(
        "AWS::ApiGatewayV2::ApiMapping",
        &[
            ("ApiId", json!({ "Ref": "Api" })),
            ("ApiMappingKey", base_path),
            ("DomainName", json!({ "Ref": "CustomDomain" })),
            ("Stage", json!({ "Ref": "Api.Stage" })),
        ],
    );
    faults
}
