//! Whole entries, as they are written.

use serde_json::{Value, json};

use super::{HarEntry, HarReader};

fn entry(line: &Value) -> Value {
    let (reader, line) = (HarReader::new(), line.to_string());
    let record = reader.read(&line).unwrap();
    serde_json::from_str(&serde_json::to_string(&HarEntry::new(&record, "page", None)).unwrap()).unwrap()
}

#[test]
fn entry_says_what_its_record_says() {
    let entry = entry(&json!({
        "RayID": "9e3556d9016f11d2", "ParentRayID": "9e3556d8c2ab1c05", "ZoneName": "example.net",
        "ClientIP": "192.0.2.0", "ClientSrcPort": 51_234, "ClientRequestMethod": "POST", "ClientRequestScheme": "https",
        "ClientRequestHost": "a.example.net", "ClientRequestURI": "/pay?token=[masked]&page=2",
        "ClientRequestProtocol": "HTTP/2", "ClientRequestUserAgent": "curl/8", "ClientRequestReferer": "",
        "ClientRequestBytes": 912, "RequestHeaders": {"content-length": "12", "authorization": "[masked]"},
        "Cookies": {"session": "[masked]"}, "CacheCacheStatus": "dynamic", "SecurityAction": "",
        "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeEndTimestamp": 1_774_687_345_200_000_001_u64,
        "EdgeTimeToFirstByteMs": 150, "OriginDNSResponseTimeMs": 0, "OriginTCPHandshakeDurationMs": 15,
        "OriginTLSHandshakeDurationMs": 30, "OriginRequestHeaderSendDurationMs": 2,
        "OriginResponseHeaderReceiveDurationMs": 70, "OriginIP": "198.51.100.0", "EdgeResponseStatus": 302,
        "EdgeResponseBytes": 700, "EdgeResponseBodyBytes": 100, "EdgeResponseContentType": "text/html",
        "ResponseHeaders": {"location": "/next", "set-cookie": ["[masked]", "[masked]"]},
        "WorkerStatus": "ok", "WorkerCPUTime": 1_400
    }));
    let masked = |name: &str| json!({"name": name, "value": "[masked]"});
    assert_eq!(
        entry,
        json!({
            "pageref": "page", "startedDateTime": "2026-03-28T08:42:25.000Z", "time": 200,
            "request": {
                "method": "POST", "url": "https://a.example.net/pay?token=%5Bmasked%5D&page=2", "httpVersion": "HTTP/2",
                "cookies": [masked("session")],
                "headers": [
                    {"name": "host", "value": "a.example.net"}, {"name": "user-agent", "value": "curl/8"},
                    masked("authorization"), {"name": "content-length", "value": "12"},
                ],
                "queryString": [masked("token"), {"name": "page", "value": "2"}],
                "headersSize": 900, "bodySize": 12,
            },
            "response": {
                "status": 302, "statusText": "Found", "httpVersion": "HTTP/2", "cookies": [],
                "headers": [
                    {"name": "location", "value": "/next"}, masked("set-cookie"), masked("set-cookie"),
                ],
                "content": {"size": 100, "mimeType": "text/html"}, "redirectURL": "/next",
                "headersSize": 600, "bodySize": 100,
            },
            "cache": {},
            "timings": {
                "blocked": -1, "dns": -1, "connect": 45, "ssl": 30, "send": 2, "wait": 103, "receive": 50,
            },
            "serverIPAddress": "198.51.100.0", "connection": "51234",
            "_phases": {"edge": 33, "dns": 0, "tcp": 15, "tls": 30, "send": 2, "wait": 70, "receive": 50},
            "_ray": "9e3556d9016f11d2", "_parentRay": "9e3556d8c2ab1c05", "_zone": "example.net",
            "_clientIPAddress": "192.0.2.0", "_cacheStatus": "dynamic", "_workerOutcome": "ok", "_workerCpuUs": 1_400,
        })
    );
}

#[test]
fn bare_record_has_what_the_format_requires() {
    let entry = entry(&json!({
        "RayID": "9e3556d9016f11d2", "ParentRayID": "00", "OriginIP": "[masked]", "EdgeResponseStatus": "[masked]",
        "ClientSrcPort": 0, "EdgeResponseBytes": -1, "RequestHeaders": "[masked]"
    }));
    let ray_time = crate::record::RayId::from_hex(b"9e3556d9016f11d2").unwrap().unix_ms();
    assert_eq!(
        entry,
        json!({
            "pageref": "page", "startedDateTime": crate::time::rfc3339(ray_time), "time": 0,
            "request": {
                "method": "", "url": "http://unknown.invalid/", "httpVersion": "unknown", "cookies": [], "headers": [],
                "queryString": [], "headersSize": -1, "bodySize": -1,
            },
            "response": {
                "status": 0, "statusText": "", "httpVersion": "unknown", "cookies": [], "headers": [],
                "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
            },
            "cache": {},
            "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0},
            "_phases": {}, "_ray": "9e3556d9016f11d2",
        })
    );
}
