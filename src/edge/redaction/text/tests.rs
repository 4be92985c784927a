//! Texts with and without secrets, in every spelling.

use super::RedactionRules;

mod planted;

#[test]
fn secrets_leave_texts_of_every_kind() {
    for text in [
        r#"{"d":"{\"password\":\"canary\"}"}"#,
        r#"{"d":"{\"e\":\"{\\\"password\\\":\\\"canary\\\"}\"}"}"#,
        "Authorization: Bearer canary.canary",
        "password=canary",
        "user=a&password=canary&b=2",
        "Cookie: a=b; sid=canary",
        "Set-Cookie: sid=canary",
        "password: a canary",
        "var password = 'canary'",
        "password =canary",
        "login(password:\"canary\"){id}",
        "x Bearer canary1",
        "ключ-password: canary",
        "password\u{a0}=\u{2003}canary",
        "\u{201c}password\u{201d}: canary",
        "é Bearer canary1",
        "éBEARER canary1",
        "GET /?token=5277 2759 canary1 6030",
        "see https://a.example/?password=ab-1 canary2 (again)",
        "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.canary",
        "see https://a.example/?next=https%3A%2F%2Fc.example%2F%3Ftoken%3Dcanary now",
        "https://a.example/?a=1;token=canary",
        "https://a.example/?a=1&amp;token=canary",
        "https://a.example/p;token=canary/y",
        "https://a.example/?p%2561ssword=canary",
        "data:text/plain,token=canary",
        "mysql --user root --password canary db",
        "mysql --user=root --password=canary db",
        "mysql -u root -p canary db",
        "mysql -pcanary1 db",
        "curl -u ann:canary https://a.example/",
        "login --token 'canary canary' now",
        "login --token \"canary \\\" canary\" now",
        "login --token \"canary and no end",
        "run --api-key canary --verbose",
        "run -token canary",
        "['--password', 'canary']",
        "tool --secret   canary",
        "ann:canary@db.example",
        "ann:canary@db.example:5432/shop",
        "dial ann:can/ary@canary@db.example: refused",
        "root:canary@tcp(10.0.0.1:3306)/shop",
        ":canary@cache.example",
        "sip:ann:canary@a.example",
    ] {
        let kept = RedactionRules::default().text(text).into_owned();
        assert!(!kept.contains("canary"), "{text}: {kept}");
    }
}

#[test]
fn ordinary_texts_stay_as_they_are() {
    for text in [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "default-src 'self'; report-to main",
        "at f (https://a.example/m.4f5e6a7b8c9d.js:1:2)",
        "state: closed, key: ArrowDown, code: 404",
        "{\"a\":1, \"b\": [true]}",
        "Basic plan for two",
        "12:30:45 a=b",
        "mail ann@a.example, or mailto:ann@a.example",
        "git@github.com:org/repo.git",
        "onClick@https://a.example/m.js:1:2",
        "ls -la --color --depth 3 - x",
        "run --password",
        "run --token --verbose",
        "",
    ] {
        assert_eq!(RedactionRules::default().text(text), text);
    }
}

#[test]
fn broken_json_ends_before_the_first_secret() {
    for text in [
        r#"{"password":{"a":"canary","b":"canary"},"zz"#,
        r#"{"a":1,"password":["canary","canary"],"zz"#,
        "{\"a\":1,\n\"password\": {\n \"v\": \"canary\"",
        r#"{"password":"canary"#,
    ] {
        let kept = RedactionRules::default().broken_json(text).into_owned();
        assert!(!kept.contains("canary") && kept.ends_with("[redacted]"), "{text}: {kept}");
    }
    assert_eq!(RedactionRules::default().broken_json(r#"{"a":[1,"#), r#"{"a":[1,"#);
}

#[test]
fn texts_within_texts_end_at_a_depth() {
    for nested in ["https://a.example/?x=", "%3Fx%3D", "/x;y=", "{\"a\":\"", "[", "p="] {
        let text = nested.repeat(32_768 / nested.len());
        let rules = RedactionRules::default();
        let kept = [
            rules.text(&text).into_owned(),
            rules.query(&text),
            rules.address(&text),
            rules.payload("application/json", &text),
        ];
        assert!(kept.iter().all(|kept| kept.len() <= text.len() + 64), "{nested}");
    }
}

fn redacted(text: &str) -> String {
    RedactionRules::default().text(text).into_owned()
}

/// Texts, and what is left of them.
const CASES: [(&str, &str); 111] = [
    // Passwords in addresses.
    ("dial postgres://u:ca/na?ry@host/db: refused", "dial postgres://host/db: refused"),
    ("postgres://u:ca#n@ry@host/db", "postgres://host/db"),
    ("postgres://u:ca%2Fna%40ry@host/db", "postgres://host/db"),
    ("url=redis%3A%2F%2Fu%3Acanary%40host", "url=redis%3A%2F%2F[redacted]host"),
    ("https://u:canary@a.example/x?y=1", "https://a.example/x?y=1"),
    // Names and separators in escapes.
    ("a password%3Dcanary", "a password%3D[redacted]"),
    ("a password%253Acanary", "a password%253A[redacted]"),
    (r"a password\u003dcanary", r"a password\u003d[redacted]"),
    ("a password&#61;canary", "a password&#61;[redacted]"),
    ("a password&amp;#x3d;canary", "a password&amp;#x3d;[redacted]"),
    (r#"body {\"password\": \"canary\"}"#, r#"body {\"password\": [redacted]"#),
    (r#"body {\\\"password\\\": \\\"canary\\\"}"#, r#"body {\\\"password\\\": [redacted]"#),
    ("{'a': 1, 'password': 'canary'}", "{'a': 1, 'password': [redacted]"),
    ("{:a=>1, :password=>\"canary\"}", "{:a=>1, :password=>[redacted]"),
    ("p&#97;ssword: canary", "p&#97;ssword: [redacted]"),
    // Names.
    ("user=a pass=canary", "user=a pass=[redacted]"),
    ("passwd: canary", "passwd: [redacted]"),
    ("Server=a;Uid=b;Pwd=canary;", "Server=a;Uid=b;Pwd=[redacted]"),
    ("passphrase = canary", "passphrase = [redacted]"),
    ("PAT=canary", "PAT=[redacted]"),
    ("api-key: canary", "api-key: [redacted]"),
    ("client_secret=canary", "client_secret=[redacted]"),
    ("AWS_SECRET_ACCESS_KEY=canary", "AWS_SECRET_ACCESS_KEY=[redacted]"),
    ("AccountName=a;AccountKey=canary==;EndpointSuffix=b", "AccountName=a;AccountKey=[redacted]"),
    ("Endpoint=sb://a/;SharedAccessKey=canary", "Endpoint=sb://a/;SharedAccessKey=[redacted]"),
    ("https://a.example/b?sv=1&sig=canary&se=2", "https://a.example/b?sv=1&sig=[redacted]&se=2"),
    ("/x?X-Amz-Signature=canary&X-Amz-Date=1", "/x?X-Amz-Signature=[redacted]&X-Amz-Date=1"),
    ("/x?X-Amz-Security-Token=canary", "/x?X-Amz-Security-Token=[redacted]"),
    ("cookie jar: sessionid=canary", "cookie jar: sessionid=[redacted]"),
    ("session_id=canary; b=c", "session_id=[redacted]"),
    // Credentials.
    ("with Bearer \"canary\"", "with [redacted]\""),
    ("with Bearer: canary", "with Bearer: [redacted]"),
    ("Authorization: Basic canary", "Authorization: [redacted]"),
    ("Authorization Token canary", "Authorization Token [redacted]"),
    ("authorization basic canary", "authorization basic [redacted]"),
    // Markup.
    ("<a><password>canary</password><b>c</b></a>", "<a><password>[redacted]</password><b>c</b></a>"),
    ("<input name=\"password\" value=\"canary\">", "<input name=\"password\" value=[redacted]"),
    ("&lt;password&gt;canary&lt;/password&gt;", "&lt;password&gt;[redacted]&lt;/password&gt;"),
    ("<add key=\"DbPassword\" value=\"canary\" />", "<add key=\"DbPassword\" value=[redacted]"),
    // SQL.
    ("CREATE USER a IDENTIFIED BY 'canary'", "CREATE USER a IDENTIFIED BY [redacted]"),
    ("ALTER ROLE a WITH PASSWORD 'canary'", "ALTER ROLE a WITH PASSWORD [redacted]"),
    ("SELECT 1 WHERE password = 'canary'", "SELECT 1 WHERE password = [redacted]"),
    ("SELECT 1 WHERE password LIKE 'canary'", "SELECT 1 WHERE password LIKE [redacted]"),
    // Tokens.
    ("push ghp_16C7e42F292c6912E7710c838347Ae178B4a failed", "push [redacted] failed"),
    ("key AKIAIOSFODNN7EXAMPLE, denied", "key [redacted], denied"),
    ("/x?q=sk_live_4eC39HqLyjWDarjtT1zdp7dc&p=1", "/x?q=[redacted]&p=1"),
    ("a%20glpat-abcdEFGH1234ijklMNOP", "a%20[redacted]"),
    (r"a\nghp_16C7e42F292c6912E7710c838347Ae178B4a", r"a\n[redacted]"),
    ("POST https://hooks.slack.com/services/T0/B0/canary: 404", "POST https://hooks.slack.com/services/[redacted] 404"),
    ("a -----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY----- b", "a [redacted] b"),
    ("a -----BEGIN RSA PRIVATE KEY-----\ncanary\nca", "a [redacted]"),
    (r#""a -----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n b"#, r#""a [redacted]\n b"#),
    // Numbers under names of secrets that say what is counted.
    ("max_tokens=4096 password=canary", "max_tokens=4096 password=[redacted]"),
    (
        "token_type: Bearer, expires_in: 3600, access_token: canary",
        "token_type: Bearer, expires_in: 3600, access_token: [redacted]",
    ),
    ("tokens=canary", "tokens=[redacted]"),
    // Options.
    ("-p password: 'canary'", "-p [redacted] [redacted]"),
    ("-p Bearer \"canary\"", "-p [redacted]\""),
    ("mysql -p canary", "mysql -p [redacted]"),
    ("docker run -p 8080:80 -e PASSWORD=canary", "docker run -p 8080:80 -e PASSWORD=[redacted]"),
    ("run --max-tokens 4096 --token canary", "run --max-tokens 4096 --token [redacted]"),
    // Several at once.
    ("a=1 x%3D2 <token>canary</token> postgres://u:canary@h/d", "a=1 x%3D2 <token>[redacted]</token> postgres://h/d"),
    ("GET /?token=canary\nCookie: canary\nok", "GET /?token=[redacted]\nCookie: [redacted]\nok"),
    ("1 password: canary\n2 Bearer canary9\n3 done", "1 password: [redacted]\n2 [redacted]\n3 done"),
    ("[{\"name\":\"password\",\"value\":\"canary\"", "[{\"name\":\"password\",\"value\":[redacted]"),
    // Neighbours in lists.
    (r#"sent ["Authorization","canary"] now"#, r#"sent ["Authorization",[redacted]"#),
    (r#"sent [["cookie","a=canary"],["accept","b"]]"#, r#"sent [["cookie",[redacted]"#),
    (r#"raw ["Host","h","Authorization","Bearer canary"]"#, r#"raw ["Host","h","Authorization",[redacted]"#),
    ("[(b'host', b'h'), (b'authorization', b'canary')]", "[(b'host', b'h'), (b'authorization', [redacted]"),
    ("sent [\n  \"Cookie\",\n  \"canary\",\n  \"b\"\n]", "sent [\n  \"Cookie\",\n  [redacted]\n  \"b\"\n]"),
    // Pairs of members.
    (r#"{"Name":"password","Value":"canary"}"#, r#"{"Name":"password","Value":"[redacted]"}"#),
    (r#"{"Value":"canary","Key":"password"}"#, r#"{"Key":"password","Value":"[redacted]"}"#),
    (
        r#"{"ParameterKey":"DbPassword","ParameterValue":"canary"}"#,
        r#"{"ParameterKey":"DbPassword","ParameterValue":"[redacted]"}"#,
    ),
    (r#"x {"header":"Cookie","value":"canary"}"#, r#"x {"header":"Cookie","value":[redacted]"#),
    (r#"x {\"Value\":\"canary\",\"Key\":\"password\"}"#, r#"x {\"Value\":[redacted]"#),
    ("ParameterKey=DbPassword,ParameterValue=canary", "ParameterKey=DbPassword,ParameterValue=[redacted]"),
    ("- name: DB_PASSWORD\n  value: canary\n- name: a", "- name: DB_PASSWORD\n  value: [redacted]\n- name: a"),
    ("x: {\n  \"Value\": \"canary\",\n  \"Name\": \"pwd\"\n}", "x: {\n  \"Value\": [redacted]\n  \"Name\": \"pwd\"\n}"),
    ("v:\nname: DB_PASSWORD\nvalue: canary", "v:\nname: DB_PASSWORD\nvalue: [redacted]"),
    // Private keys whose labels are escaped, missing or others.
    ("-----BEGIN\\u0020RSA PRIVATE KEY-----\ncanary\ncanary", "[redacted]"),
    ("-----BEGIN+PRIVATE+KEY-----\ncanary\n-----END+PRIVATE+KEY-----\nb", "[redacted]\nb"),
    ("-----BEGIN PRIVATE KEY-----\ncanary\n-----END X-----\ncanary", "[redacted]"),
    // Signatures.
    ("https://a.example/b?Signature=canary&Expires=1", "https://a.example/b?Signature=[redacted]&Expires=1"),
    ("SignedHeaders=host, Signature=caNAryCanaRycanaryCANARY", "SignedHeaders=host, Signature=[redacted]"),
    // Options within words, and of programs.
    ("cd /x;mysql --token=a;--secret canary", "cd /x;mysql --token=[redacted]"),
    ("(a|-p canary)", "(a|-p [redacted]"),
    ("OPTIONS=\"-u ann:canary\"", "OPTIONS=\"-u [redacted]"),
    ("curl --user=ann:canary x", "curl --user=[redacted] x"),
    ("curl --user \"ann:a canary\" x", "curl --user [redacted]\" x"),
    ("keytool -storepass canary -keypass canary -list", "keytool -storepass [redacted] -keypass [redacted] -list"),
    ("openssl rsa -passin pass:1234 -in a", "openssl rsa -passin [redacted] -in a"),
    ("sqlcmd -U sa -P canary", "sqlcmd -U sa -P [redacted]"),
    ("mkdir -p /x && sshpass -p canary ssh h", "mkdir -p /x && sshpass -p [redacted] ssh h"),
    (r#"["mkdir","-p","/x",";","sshpass","-p","canary"]"#, r#"["mkdir","-p","/x",";","sshpass","-p","[redacted]"]"#),
    // Names with brackets.
    ("password[$ne]=canary", "password[$ne]=[redacted]"),
    ("/x?user%5Bpassword%5D=canary&password[]=canary", "/x?user%5Bpassword%5D=[redacted]&password[]=[redacted]"),
    // Attributes.
    ("<p name=\"password\">canary</p><p>b</p>", "<p name=\"password\">[redacted]</p><p>b</p>"),
    ("<add key=\"Password\"\n value=\"canary\"/>", "<add key=\"Password\"\n value=[redacted]/>"),
    ("<add value=\"canary\"\n key=\"Password\"/>", "<add value=[redacted]\n key=\"Password\"/>"),
    // Addresses without a scheme, and tokens within words.
    ("dial //ann:canary@host/db", "dial //host/db"),
    ("tokenghp_16C7e42F292c6912E7710c838347Ae178B4a", "token[redacted]"),
    ("x_eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.canary", "x_[redacted]"),
    // What signs somebody in.
    ("SAMLResponse=canary", "SAMLResponse=[redacted]"),
    (
        "client_assertion_type=urn:a:b client_assertion=canary",
        "client_assertion_type=urn:a:b client_assertion=[redacted]",
    ),
    ("assertion=canary.1234567890", "assertion=[redacted]"),
    ("id_token_hint=canary", "id_token_hint=[redacted]"),
    ("code_verifier=canary", "code_verifier=[redacted]"),
    ("device-code: canary", "device-code: [redacted]"),
    ("db.otp=canary", "db.otp=[redacted]"),
    ("secretary_password=canary", "secretary_password=[redacted]"),
    ("token_cache_key=canary", "token_cache_key=[redacted]"),
    (r#"{"access_key_id":"canary"}"#, r#"{"access_key_id":"[redacted]"}"#),
];

#[test]
fn cases_lose_secrets_and_keep_the_rest() {
    for (text, kept) in CASES {
        assert_eq!(redacted(text), kept, "{text}");
        assert_eq!(redacted(kept), kept, "once is as good as twice");
    }
}

/// Lines of ordinary logs.
const HARMLESS: [&str; 72] = [
    "docker run -p 8080:80 nginx:1.25",
    "ssh -p 22 host uptime",
    "docker run -p 127.0.0.1:5432:5432/tcp postgres",
    "max_tokens=4096, temperature=0.2",
    "gen_ai.usage.input_tokens: 812",
    "prompt tokens=12 completion tokens=7 total_tokens=19",
    "token_type=Bearer, expires_in=3600",
    "token_count: 12",
    "--- PASS: TestLogin (0.00s)",
    "pass: 12, fail: 0",
    "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "Unexpected token < in JSON at position 0",
    "npm_config_registry_url is deprecated",
    "duplicate key value violates unique constraint \"pk_customers_2024_index\"",
    "Key (id)=(42) already exists.",
    "key: user:42, code: ENOENT, state: open",
    "GET https://a.example:8443/@ann/x?page=2 200 12ms",
    "pulled docker-pullable://nginx:latest",
    "listening on http://localhost:3000",
    "connect to postgres://db.example:5432/shop",
    "mirror http://[::1]:80/x",
    "100% of 5 done; 3 > 2 && 1 < 2",
    "a=1&b=2&amp;c=3",
    r"C:\Users\xen\new\table.txt",
    r#"log \"quoted\" text: fine"#,
    "usage: login <user> <password> now",
    "<a href=\"/x\">y</a> <br/>",
    "<input name=\"page\" value=\"2\">",
    "SELECT id FROM users WHERE name = 'ann'",
    "password policy checked for 3 users",
    "authorization failed for ann",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "POST https://hooks.slack.com/services failed",
    "reading src/auth/session.rs:12:5",
    "at Object.<anonymous> (/app/x.js:10:5)",
    "    at f (https://a.example/m.4f5e6a7b8c9d.js:1:2)",
    "java.lang.IllegalStateException: closed\n\tat a.b.C.d(C.java:12)",
    "2026-11-28T10:00:00.123Z INFO [main] started in 12 ms",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "session.id was 42 for messaging.kafka.message.key",
    "status_code=503 upstream=10.0.0.1:8080",
    "color %23ff0000 at https://a.example/x?color=%23ff0000",
    "path=/a%20b/c%2Fd",
    "bypass=1 compass: north pattern=x sidecar=on",
    "git clone git@github.com:org/repo.git",
    "feature_flag.key=new-checkout aws.s3.key=photos/cat.jpg",
    "messaging.rabbitmq.destination.routing_key: orders.created",
    "/x?cache_key=abc&object_key=a/b&idempotencyKey=8e03978e-40d5-43dd",
    r#"{"aws.s3.key":"photos/0123456789abcdef","partition_key":"u-42","sort_key":"x","primary_key":"id"}"#,
    r#"{"secretary":"Ann","passenger":"Bob","tokenizer":"cl100k_base","keyboard":"us","authorship":"x"}"#,
    r#"{"keyCode":13,"keyPath":"a.b","key_type":"RSA","kid":"a","key_id":"b","keyName":"c"}"#,
    "/b?Key-Pair-Id=APKA0123456789",
    "secretary=Ann tokenized: yes passenger=Bob",
    ":authority: a.example",
    r#"{"authority":"a.example"}"#,
    r#"{"client_assertion_type":"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}"#,
    "/x?subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
    "AssertionError: expected 5, assertion: left == right",
    "signature: void foo(int), signature=missing",
    "PWD=/app OLDPWD=/",
    "mkdir -p /x build/out && sudo -u www ls -a /tmp",
    r#"["mkdir","-p","/x"]"#,
    "docker run -u 1000:1000 x; git checkout -b feature; tsc -p tsconfig.json",
    "git push -u origin main | grep -P a+ | date -u +%H:%M",
    "see //cdn.example/x@1.2.3 and //host:8080/@x //@ts-ignore",
    "[\"user\", \"page\"] \"password\", \"email\" are missing",
    "- name: a\n  value: 1\n- name: b\n  value: 2",
    "secretKeyRef:\n  key: password\n  name: db\n- name: LOG\n  value: debug",
    "{\"feature_flag.key\":\"token-refresh\",\"feature_flag.result.value\":\"on\"}",
    "<a name=\"password\">b</a><option name=\"x\">y</option>",
    "risk_assessment_2024_final_report_v2 desk-lamp-green-2024-11-28",
];

#[test]
fn lines_of_ordinary_logs_stay() {
    for text in HARMLESS {
        assert_eq!(redacted(text), text);
    }
}
